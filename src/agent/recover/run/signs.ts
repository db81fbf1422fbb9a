import { access, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What agent and server's container tell each other by files (scripts.ts). */
export interface Signs {
  /** undefined while the server's script runs. */
  exitCode(): Promise<number | undefined>;
  /** Of a server that ended by itself, or could not be started. */
  ended(): Promise<number | undefined>;
  hasStarted(): Promise<boolean>;
  /** The end of what the server wrote. */
  log(): Promise<string>;
  begin(script: string): Promise<void>;
  setArguments(lines: readonly string[]): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const logLimit = 65_536;

export function signsIn(folder: string): Signs {
  const path = (name: string) => join(folder, name);
  return {
    exitCode: () => readNumber(path('exit')),
    ended: async () => (await readNumber(path('ended'))) ?? (await readNumber(path('exit'))),
    hasStarted: () => exists(path('started')),
    log: () => readTail(path('server.log'), logLimit),
    // Last of all: it is what the other container waits for.
    begin: (script) => writeWhole(path('recover.sh'), script),
    setArguments: (lines) => writeWhole(path('arguments'), `${lines.join('\n')}\n`),
    async restart() {
      await writeFile(path('server.log'), '');
      await writeFile(path('restart'), '');
      await rm(path('ended'), { force: true });
    },
    stop: () => writeFile(path('stop'), ''),
  };
}

/** All of an earlier recovery, and of this one at its end. */
export async function clearFolder(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
}

/** Never seen half-written. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text.trim());
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readTail(path: string, limit: number): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, limit);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await file.close();
  }
}
