import { Failure } from '../domain/failure.ts';
import { isEncrypted } from '../stream/encrypt.ts';
import type { CallOptions, Store } from './store.ts';

/** A file as it is stored: whole where it is small, else in pieces. */
export type Stored = Buffer | AsyncIterable<Buffer>;

/** Segments may have up to 1 GiB; most are small, and one request for each is the quickest. */
export async function getStored(store: Store, key: string, options: CallOptions): Promise<Stored> {
  try {
    return await store.get(key, options);
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'ObjectTooLarge') throw error;
    return await store.download(key, options);
  }
}

export interface Told {
  readonly encrypted: boolean;
  readonly stored: Stored;
  /** For who does not read it to its end. */
  readonly close: () => Promise<void>;
}

/** Its first bytes tell; what has been read of it is given back. */
export async function tellEncrypted(stored: Stored): Promise<Told> {
  if (Buffer.isBuffer(stored)) return { encrypted: isEncrypted(stored), stored, close: async () => undefined };
  const pieces = stored[Symbol.asyncIterator]();
  const first = await pieces.next();
  const head = first.done === true ? Buffer.alloc(0) : first.value;
  const close = async () => {
    await pieces.return?.();
  };
  return { encrypted: isEncrypted(head), stored: following(head, pieces), close };
}

async function* following(head: Buffer, pieces: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, void> {
  let ended = false;
  try {
    yield head;
    for (;;) {
      const next = await pieces.next();
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    if (!ended) await pieces.return?.();
  }
}
