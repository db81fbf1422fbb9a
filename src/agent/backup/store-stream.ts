import { transient } from '../../domain/failure.ts';
import { backupPath } from '../../domain/layout.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import { watchForContent } from '../../stream/age-header.ts';
import { encryptedSuffix, encryptor, failureOfEncrypting } from '../../stream/encrypt.ts';
import { type Pipeline, runPipeline, type Stage } from '../../stream/pipeline.ts';
import { fanOut } from './fan-out.ts';
import { commonEncryption, type Target } from './targets.ts';

export interface StreamToStore {
  readonly targets: readonly Target[];
  /** Relative to the backup's folder, without the ending that encryption adds. */
  readonly path: string;
  /** undefined ones are left out: the compressor of `none`. */
  readonly stages: readonly (Stage | undefined)[];
  readonly input?: AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
  /** How many streams the caller stores at a time; default 1. */
  readonly concurrent?: number;
  /** Told when the processes run, so that they can be watched. */
  readonly onStart?: (pipeline: Pipeline) => void;
}

/**
 * Stores what a pipeline writes in every repository at once, encrypted where they ask for that: nothing of a backup but
 * its manifest goes another way. Whatever fails first, a process or a repository, ends all of it and is the error; every
 * process has ended when this settles.
 */
export async function storeStream({
  targets,
  path: plainPath,
  stages,
  input,
  signal,
  concurrent = 1,
  onStart,
}: StreamToStore): Promise<StoredObject> {
  const stopping = new AbortController();
  const either = AbortSignal.any([signal, stopping.signal]);
  const encryption = commonEncryption(targets);
  const path = encryption === undefined ? plainPath : `${plainPath}${encryptedSuffix(encryption)}`;
  const encrypting = encryption === undefined ? [] : [encryptor(encryption)];
  const present = [...stages, ...encrypting].filter((stage) => stage !== undefined);
  const pipeline =
    present.length === 0
      ? undefined
      : runPipeline(present, { signal: either, ...(input === undefined ? {} : { input }) });
  if (pipeline !== undefined) onStart?.(pipeline);
  const body = pipeline?.output ?? input;
  if (body === undefined) throw new Error('neither a process nor an input to store');
  const content = encryption === undefined ? undefined : watchForContent(body);
  const bodies = fanOut(content?.stream ?? body, targets.length);
  const upload = async ({ store, location }: Target, index: number) => {
    try {
      const part = bodies[index];
      if (part === undefined) throw new Error('a repository without a stream');
      return await store.upload(`${backupPath(location)}/${path}`, part, { signal: either, concurrent });
    } catch (error) {
      stopping.abort(failureOfEncrypting(error) ?? error);
      throw error;
    }
  };
  const settled = await Promise.allSettled(targets.map(upload));
  await pipeline?.finished.catch(() => undefined);
  signal.throwIfAborted();
  stopping.signal.throwIfAborted();
  const stored = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const [first] = stored;
  if (first === undefined || stored.some(({ sha256 }) => sha256 !== first.sha256)) {
    throw transient('ChecksumMismatch', `${path} was stored with different content in different repositories.`);
  }
  // Neither a dump nor a list nor a packed anything is empty: bytes were lost on the way.
  if (first.size === 0 || content?.hadContent() === false)
    throw transient(
      'EmptyObject',
      `Nothing arrived for ${path}, though every process succeeded. Start the backup again.`,
    );
  return { path, size: first.size, sha256: first.sha256 };
}
