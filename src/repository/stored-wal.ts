import type { Scheme } from '../domain/encryption.ts';
import { Failure } from '../domain/failure.ts';
import { encryptedWith, introLength } from '../stream/encrypt.ts';
import { peek } from '../stream/peek.ts';
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
  /** With what; undefined: not at all. */
  readonly encrypted: Scheme | undefined;
  readonly stored: Stored;
  /** For who does not read it to its end. */
  readonly close: () => Promise<void>;
}

/** Its first bytes tell; what has been read of it is given back. */
export async function tellEncrypted(stored: Stored): Promise<Told> {
  if (Buffer.isBuffer(stored)) return { encrypted: encryptedWith(stored), stored, close: async () => undefined };
  const { head, stream, close } = await peek(stored, introLength);
  return { encrypted: encryptedWith(head), stored: stream, close };
}
