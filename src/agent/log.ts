import { type Logger, pino } from 'pino';

export type AgentLog = Pick<Logger, 'info' | 'warn' | 'error'>;

/** JSON lines on standard output, as the operator writes them. */
export function createAgentLog(bindings: Readonly<Record<string, unknown>>): AgentLog {
  return pino({
    base: { program: 'agent', ...bindings },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ['password', '*.password', 'secretAccessKey', '*.secretAccessKey', 'env', '*.env'],
      censor: '[redacted]',
    },
  });
}
