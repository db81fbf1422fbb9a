import { createHash } from 'node:crypto';
import { sha256Of, textOf } from '../stream/digest.ts';
import { interruptible } from '../stream/interruptible.ts';
import { type Part, rechunk } from '../stream/rechunk.ts';
import { cancelled } from './attempts.ts';
import { type BufferPool, createMemoryBudget, type MemoryBudget } from './part-buffers.ts';
import { memoryFor } from './part-size.ts';
import type { Uploaded, UploadOptions } from './store.ts';

/** How one store takes one object in parts. `Sent` is what it says of a part it took, if that is needed at the end. */
export interface PartSink<Sent> {
  /** Of the part with this index (from 0), in bytes; throws where the store takes no more of them. */
  readonly partSize: (index: number) => number;
  /** Each part waits for the one before. */
  readonly oneByOne?: boolean;
  /** Rejects with ObjectExists. */
  readonly requireAbsent: (signal: AbortSignal) => Promise<void>;
  /** Of what is shorter than a part. Like `complete`, it never overwrites, and has looked at what is stored. */
  readonly storeWhole: (body: Buffer, signal: AbortSignal) => Promise<void>;
  readonly begin: (signal: AbortSignal) => Promise<string>;
  readonly sendPart: (
    upload: string,
    part: { readonly index: number; readonly bytes: Buffer; readonly offset: number; readonly last: boolean },
    signal: AbortSignal,
  ) => Promise<Sent>;
  /** `sent` is in the order of the parts. */
  readonly complete: (upload: string, sent: readonly Sent[], size: number, signal: AbortSignal) => Promise<void>;
  /** After any failure, in a time of its own; never rejects. */
  readonly removeTraces: (upload: string, size: number) => Promise<void>;
}

interface Upload<Sent> {
  readonly sink: PartSink<Sent>;
  /** Ends everything: the caller's signal, or the first part that failed. */
  readonly stop: AbortController;
  readonly budget: MemoryBudget;
  readonly onProgress: (stored: number) => void;
}

/**
 * Stores a stream of unknown length under a key that must not exist, in bounded memory. What is shorter than a part goes
 * as a whole. On any failure the parts and the object are removed again, also where the signal has aborted.
 */
export async function uploadInParts<Sent>(
  sink: PartSink<Sent>,
  pool: BufferPool,
  what: string,
  body: AsyncIterable<Buffer>,
  { signal, onProgress = () => undefined, concurrent = 1 }: UploadOptions,
): Promise<Uploaded> {
  await sink.requireAbsent(signal);
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const budget = createMemoryBudget(pool, (size) => memoryFor(size) / concurrent, stop.signal);
  const upload: Upload<Sent> = { sink, stop, budget, onProgress };
  const parts = rechunk(interruptible(body, stop.signal), {
    sizeOf: sink.partSize,
    take: budget.take,
    give: budget.give,
  });
  try {
    if (signal.aborted) onAbort();
    const first = await parts.next();
    if (first.done === true) return await storeWhole(upload, Buffer.alloc(0));
    const { bytes, buffer } = first.value;
    if (bytes.length < buffer.length) {
      const stored = await storeWhole(upload, bytes);
      budget.give(buffer);
      return stored;
    }
    return await storeParts(upload, first.value, parts);
  } catch (error) {
    throw signal.aborted && error === signal.reason ? cancelled(signal, `store ${what}; nothing is left of it`) : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort();
    await parts.return();
  }
}

async function storeWhole<Sent>({ sink, stop, onProgress }: Upload<Sent>, body: Buffer): Promise<Uploaded> {
  await sink.storeWhole(body, stop.signal);
  onProgress(body.length);
  return { size: body.length, sha256: sha256Of(body) };
}

async function storeParts<Sent>(upload: Upload<Sent>, first: Part, rest: AsyncIterable<Part>): Promise<Uploaded> {
  const { sink, stop } = upload;
  const id = await sink.begin(stop.signal);
  const progress = { total: 0 };
  try {
    const { sent, sha256 } = await sendAll(upload, id, { first, rest, progress });
    stop.signal.throwIfAborted();
    await sink.complete(id, sent, progress.total, stop.signal);
    return { size: progress.total, sha256 };
  } catch (error) {
    await sink.removeTraces(id, progress.total);
    throw error;
  }
}

async function sendAll<Sent>(
  upload: Upload<Sent>,
  id: string,
  {
    first,
    rest,
    progress,
  }: { readonly first: Part; readonly rest: AsyncIterable<Part>; readonly progress: { total: number } },
): Promise<{ readonly sent: readonly Sent[]; readonly sha256: string }> {
  const { sink, stop } = upload;
  const sending = new Set<Promise<void>>();
  const sent: Sent[] = [];
  const hash = createHash('sha256');
  let acknowledged = 0;
  let before: Promise<unknown> = Promise.resolve();
  const send = (part: Part) => {
    hash.update(part.bytes);
    const offset = progress.total;
    progress.total += part.bytes.length;
    const turn = sink.oneByOne === true ? before : Promise.resolve();
    const one = turn
      .then(() => sendPart(upload, id, part, offset))
      .then((receipt) => {
        sent[part.index] = receipt;
        acknowledged += part.bytes.length;
        upload.onProgress(acknowledged);
      });
    before = one;
    const watched = one.catch((error: unknown) => stop.abort(error)).finally(() => sending.delete(watched));
    sending.add(watched);
  };
  try {
    send(first);
    for await (const part of rest) send(part);
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    // After a failure too: an abort of the upload while parts are under way may leave them behind.
    await Promise.all(sending);
  }
  return { sent, sha256: textOf(hash) };
}

async function sendPart<Sent>(
  { sink, stop, budget }: Upload<Sent>,
  id: string,
  { index, bytes, buffer }: Part,
  offset: number,
): Promise<Sent> {
  try {
    const part = { index, bytes, offset, last: bytes.length < buffer.length };
    const receipt = await sink.sendPart(id, part, stop.signal);
    budget.give(buffer);
    return receipt;
  } catch (error) {
    // A request that was given up may still read the buffer.
    budget.drop(buffer);
    throw error;
  }
}
