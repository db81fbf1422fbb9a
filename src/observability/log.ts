import { type Logger, pino } from 'pino';

/** JSON lines on standard output. What could carry a secret by its name is never written. */
export function createLog(level: string): Logger {
  return pino({
    level,
    base: {},
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: [
        'password',
        '*.password',
        'authorization',
        '*.authorization',
        '*.headers',
        'err.cause.headers',
        'token',
        '*.token',
      ],
      censor: '[redacted]',
    },
  });
}
