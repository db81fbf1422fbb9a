import { setTimeout as delay } from 'node:timers/promises';
import { transient } from '../../../domain/failure.ts';
import { type ControlState, readControlFile } from './control-file.ts';
import type { Signs } from './signs.ts';

const every = 200;

/** Has the server shut down; false where it has not ended in time. */
export async function stopServer(signs: Signs, patience: number, signal?: AbortSignal): Promise<boolean> {
  await signs.stop();
  const deadline = performance.now() + patience;
  while ((await signs.exitCode()) === undefined) {
    if (performance.now() > deadline) return false;
    await delay(every, undefined, { signal });
  }
  return true;
}

/** A clean end: only then has all that was replayed come to the disk, and another server may take the directory. */
export async function requireCleanEnd(
  signs: Signs,
  dataDirectory: string,
  {
    state,
    patience,
    signal,
  }: { readonly state: ControlState; readonly patience: number; readonly signal: AbortSignal },
): Promise<void> {
  if (!(await stopServer(signs, patience, signal))) {
    throw transient(
      'ServerNotStopped',
      `The recovered server was told to shut down and has not ended within ${patience / 1000} seconds. Look at the log of the container postgres: its disk may be too slow.`,
    );
  }
  const found = (await readControlFile(dataDirectory)).state;
  const exitCode = await signs.exitCode();
  if (exitCode === 0 && found === state) return;
  throw transient(
    'ServerNotStopped',
    `The recovered server ended with code ${exitCode} and left its data directory in the state “${found}” instead of “${state}”. The log of the container postgres says more.`,
  );
}
