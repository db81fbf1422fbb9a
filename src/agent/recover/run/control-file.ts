import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** DBState (PostgreSQL, catalog/pg_control.h), in its order since version 9. */
const states = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const;

export type ControlState = (typeof states)[number] | 'unknown';

export interface ControlFile {
  readonly systemIdentifier: string;
  readonly state: ControlState;
}

/** The beginning of global/pg_control, which has the same form in every supported major. */
export async function readControlFile(dataDirectory: string): Promise<ControlFile> {
  return parseControlFile(await readFile(join(dataDirectory, 'global', 'pg_control')));
}

export function parseControlFile(content: Buffer): ControlFile {
  if (content.length < 20) return { systemIdentifier: '', state: 'unknown' };
  return {
    systemIdentifier: content.readBigUInt64LE(0).toString(),
    state: states[content.readInt32LE(16)] ?? 'unknown',
  };
}
