import { execa } from 'execa';
import type { Read } from './health.ts';

export interface Health {
  readonly status: string;
  readonly message: string;
}

/** Runs a health script as Argo CD does: in Lua 5.1, with the object in `obj`; a table with status and message comes back. */
export async function runHealthScript(script: string, object: Read): Promise<Health> {
  const program = [
    `obj = ${literal(object)}`,
    `local health = (function()\n${script}\nend)()`,
    'io.write(health.status, "\\n", health.message or "")',
  ].join('\n');
  const { stdout } = await execa('lua5.1', ['-'], { input: program });
  const [status = '', ...message] = stdout.split('\n');
  return { status, message: message.join('\n') };
}

/** A value as Lua writes it. */
export function literal(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (typeof value === 'string')
    return `"${[...Buffer.from(value)].map((byte) => `\\${`${byte}`.padStart(3, '0')}`).join('')}"`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `{${value.map(literal).join(', ')}}`;
  return `{${Object.entries(value)
    .map(([name, field]) => `[${literal(name)}] = ${literal(field)}`)
    .join(', ')}}`;
}
