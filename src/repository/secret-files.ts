import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terminal } from '../domain/failure.ts';

/** A renewed Secret is in use after about as long, besides what the kubelet needs. */
const heldFor = 60_000;

/** Of a mounted Secret; undefined where it has no such key, or nothing under it. */
export async function readSecret(folder: string, key: string): Promise<string | undefined> {
  try {
    const value = (await readFile(join(folder, key), 'utf8')).trim();
    return value === '' ? undefined : value;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw terminal(
      'CredentialsMissing',
      `Cannot read ${key} in ${folder}: ${String(error)}. Look at the Job's volumes.`,
      error,
    );
  }
}

/** What is made of a Secret, and made anew when the Secret has changed: looked at when it is asked for, once a minute. */
export function renewing<Read, Made>(
  read: () => Promise<Read>,
  make: (read: Read, before: Made | undefined) => Made | Promise<Made>,
  { now = Date.now }: { readonly now?: (() => number) | undefined } = {},
): () => Promise<Made> {
  let held: { readonly seen: string; readonly made: Made; readonly until: number } | undefined;
  let asking: Promise<Made> | undefined;
  const ask = async () => {
    const found = await read();
    const seen = JSON.stringify(found);
    const made = held?.seen === seen ? held.made : await make(found, held?.made);
    held = { seen, made, until: now() + heldFor };
    return made;
  };
  return async () => {
    if (held !== undefined && now() < held.until) return held.made;
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}
