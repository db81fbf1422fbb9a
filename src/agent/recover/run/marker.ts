import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { terminal } from '../../../domain/failure.ts';

/**
 * How far a recovery has come with a data directory, kept beside it, so that a try that was killed is gone on with and
 * never mixed with another:
 *   SettingAside  the present content is being moved to `old`; nothing new is there
 *   Laying        all that lies in the data directory is new and unfinished; `old`, where kept, is complete
 *   PuttingBack   nothing new is there; `old` is being moved back
 */
const schema = z.object({
  recovery: z.string(),
  state: z.enum(['SettingAside', 'Laying', 'PuttingBack']),
  /** Absolute; undefined where nothing was there. */
  old: z.string().optional(),
});

export type Marker = z.output<typeof schema>;

export async function readMarker(path: string): Promise<Marker | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw terminal(
      'PlaceUnclear',
      `${path} should say how far a recovery has come, and cannot be read. Nothing was touched. Look at the folder; when you know which data directory is good, put it in its place and remove this file.`,
      cause,
    );
  }
}

/** Durable when it resolves. */
export async function writeMarker(path: string, marker: Marker): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify(marker));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncFolder(dirname(path));
}

export async function removeMarker(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}

/** Makes renames within it durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
