import { availableParallelism } from 'node:os';
import { Failure } from '../../../domain/failure.ts';
import type { PackedStream, StoredObject } from '../../../domain/manifest.ts';
import { verified } from '../../../stream/digest.ts';
import { decrypted } from '../../../stream/encrypt.ts';
import { extractTar } from '../../../stream/extract-tar.ts';
import { workThrough } from '../../work-through.ts';
import { corrupted } from './corrupted.ts';
import { fetchPatiently } from './fetch-patiently.ts';
import type { BaseBackup, LayOptions } from './lay-base.ts';
import { counted, failureOf } from './unpack-chunk.ts';

/** What the parts of all streams may take in memory, those on their way included. */
const memory = 128 * 1024 ** 2;
/** One is unpacked while another comes. */
const fewest = 2;
const most = 8;

/** Unpacks what the server packed: the streams beside one another, the parts of each in their order. */
export async function layStreams(
  base: BaseBackup,
  streams: readonly PackedStream[],
  folderOf: (stream: PackedStream) => string,
  options: LayOptions,
): Promise<void> {
  const beside = Math.min(streams.length, Math.max(2, availableParallelism()));
  const largestFirst = streams.toSorted((one, other) => other.bytes - one.bytes);
  await workThrough(largestFirst, { beside, signal: options.signal }, (stream, signal) =>
    layStream(base, stream, folderOf(stream), { ...options, signal, memory: memory / beside }),
  );
}

interface StreamOptions extends LayOptions {
  readonly memory: number;
}

/** Resolves only where every part was the one that the manifest names, and the whole was a tar to its end. */
async function layStream(
  base: BaseBackup,
  stream: PackedStream,
  folder: string,
  { signal, memory: bytes, ...options }: StreamOptions,
): Promise<void> {
  const largest = Math.max(...stream.parts.map(({ size }) => size));
  const ahead = Math.min(most, Math.max(fewest, Math.floor(bytes / largest)));
  const stopping = new AbortController();
  const either = AbortSignal.any([signal, stopping.signal]);
  const input = inOrder(stream.parts, ahead, (part) =>
    fetchPatiently(base, part, { ...options, signal: either }, (fetching) => fetchPart(base, part, fetching)),
  );
  try {
    await extractTar(input, { folder, compression: base.manifest.compression, signal });
  } catch (error) {
    signal.throwIfAborted();
    const where = `${base.path}/${stream.parts[0]?.path} with those after it in ${base.store.description}`;
    const failure = failureOf(error, where, folder);
    // Each part was what the backup has, so that nothing is won by fetching them again.
    const isFinal = failure instanceof Failure && failure.reason === 'ChecksumMismatch';
    throw isFinal ? corrupted(failure.message, failure) : failure;
  } finally {
    stopping.abort(new Error('the stream is no longer unpacked'));
  }
}

/** Each part is whole and checked before its first byte goes on; `ahead` of them are there or on their way at a time. */
async function* inOrder(
  parts: readonly StoredObject[],
  ahead: number,
  fetch: (part: StoredObject) => Promise<readonly Buffer[]>,
): AsyncGenerator<Buffer, void, void> {
  const coming: Promise<readonly Buffer[]>[] = [];
  let next = 0;
  const fill = () => {
    for (; coming.length < ahead && next < parts.length; next += 1) {
      const part = parts[next];
      if (part === undefined) return;
      const fetching = fetch(part);
      // Whoever waits for it is told; an earlier one may fail first.
      fetching.catch(() => undefined);
      coming.push(fetching);
    }
  };
  for (fill(); coming.length > 0; fill()) {
    const [first] = coming;
    if (first !== undefined) yield* await first;
    coming.shift();
  }
}

async function fetchPart(
  { store, path, identityFile }: BaseBackup,
  part: StoredObject,
  { signal, onBytes }: Pick<LayOptions, 'signal' | 'onBytes'>,
): Promise<readonly Buffer[]> {
  const key = `${path}/${part.path}`;
  const where = `${key} in ${store.description}`;
  const pieces: Buffer[] = [];
  try {
    const stored = verified(counted(await store.download(key, { signal }), onBytes), part, where);
    for await (const piece of decrypted(stored, identityFile, signal)) pieces.push(piece);
  } catch (error) {
    throw failureOf(error, where, path);
  }
  return pieces;
}
