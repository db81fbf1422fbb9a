import type { Compression } from './compress.ts';
import { fanOut } from './fan-out.ts';
import { announced, type FreeInOrder, freeInOrder } from './free-in-order.ts';
import { isUnpackedInside, unpacked } from './unpack.ts';

/** Reads a stream to its end; rejects where it is not what it should be. What it gives has been read. */
export type Read = (unpacked: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

/**
 * Gives a packed stream on as it is, while somebody reads what is in it; rejects where that does, at its end at the latest.
 * Packed it is a tenth of the bytes, so that whoever packs may have them from the tool itself; and it is what is stored
 * that is read.
 */
export async function* readAlong(
  packed: AsyncIterable<Buffer>,
  { algorithm }: Pick<Compression, 'algorithm'>,
  read: Read,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  const [stored, seen] = fanOut(packed, 2);
  if (stored === undefined || seen === undefined) throw new Error('a stream that did not become two');
  const memory = isUnpackedInside({ algorithm }) ? freeInOrder() : undefined;
  let failure: { readonly error: unknown } | undefined;
  const reading = readAll(read(announced(unpacked({ algorithm }, seen, signal), memory)), memory)
    .catch((error: unknown) => {
      failure = { error };
    })
    .finally(() => seen.leave());
  try {
    for await (const chunk of stored) {
      if (failure !== undefined) throw failure.error;
      yield chunk;
    }
    await reading;
    if (failure !== undefined) throw failure.error;
  } finally {
    stored.leave();
    seen.leave();
  }
}

async function readAll(bytes: AsyncIterable<Buffer>, memory: FreeInOrder | undefined): Promise<void> {
  for await (const piece of bytes) memory?.arrived(piece);
}
