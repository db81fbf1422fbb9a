import { z } from 'zod';
import { Failure } from '../domain/failure.ts';
import { badName, verifiedName } from '../domain/layout.ts';
import type { Store } from './store.ts';

const verdict = z.object({
  format: z.literal(1),
  /** When it was found out. */
  time: z.iso.datetime(),
  /** The PitrRecovery or RestoreRequest that did. */
  by: z.string(),
  namespace: z.string(),
  restoreSeconds: z.int().nonnegative().optional(),
  /** Of what was found bad. */
  reason: z.string().optional(),
  message: z.string().optional(),
});

export type FoundOut = Omit<z.output<typeof verdict>, 'format'>;

export type StoredVerdict =
  | { readonly outcome: 'Good'; readonly found: FoundOut }
  /** Without `found`, nobody can read what was found out. */
  | { readonly outcome: 'Bad'; readonly found: FoundOut | undefined };

/**
 * Says beside a backup's manifest what a verification has found out of these very bytes. That it is bad is written once and
 * stays as it is; one that is found good afterwards is told so by taking it away.
 */
export async function putVerdict(
  store: Store,
  path: string,
  outcome: StoredVerdict['outcome'],
  found: FoundOut,
  signal: AbortSignal,
): Promise<void> {
  const body = Buffer.from(`${JSON.stringify({ format: 1, ...found })}\n`);
  const put = (name: string, ifAbsent: boolean) =>
    store.put(`${path}/${name}`, body, { ifAbsent, contentType: 'application/json', signal });
  if (outcome === 'Good') {
    if (await isBad(store, path, signal)) await store.delete([`${path}/${badName}`], { signal });
    await put(verifiedName, false).catch((error: unknown) => keepFirst(store, path, error, signal));
    return;
  }
  try {
    await put(badName, true);
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'ObjectExists') throw error;
    if (!(await isBad(store, path, signal))) throw error;
  }
}

/** Where what is stored is locked, an older word that it is good stays, and is as true. */
async function keepFirst(store: Store, path: string, error: unknown, signal: AbortSignal): Promise<void> {
  if (!(error instanceof Failure) || error.retryable) throw error;
  if ((await store.head(`${path}/${verifiedName}`, { signal })) === undefined) throw error;
}

/** Whatever it holds: what cannot be read says that somebody had a reason. */
export async function isBad(store: Store, path: string, signal: AbortSignal): Promise<boolean> {
  return (await store.head(`${path}/${badName}`, { signal })) !== undefined;
}

/** undefined where it was never verified, or nobody could say so here. */
export async function readVerdict(store: Store, path: string, signal: AbortSignal): Promise<StoredVerdict | undefined> {
  if (await isBad(store, path, signal))
    return { outcome: 'Bad', found: await readFound(store, `${path}/${badName}`, signal) };
  const found = await readFound(store, `${path}/${verifiedName}`, signal);
  return found === undefined ? undefined : { outcome: 'Good', found };
}

async function readFound(store: Store, key: string, signal: AbortSignal): Promise<FoundOut | undefined> {
  try {
    const { format: _, ...found } = verdict.parse(JSON.parse((await store.get(key, { signal })).toString('utf8')));
    return found;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Failure && error.reason !== 'NoSuchObject') throw error;
    return undefined;
  }
}
