/** Gives back the memory of buffers that pass in a row, as soon as all of them has passed. */
export interface FreeInOrder {
  /** These bytes go on their way, behind all that went before. */
  readonly sent: (bytes: Buffer) => void;
  /** These have arrived, and nobody reads what was sent before the memory that they lie in. */
  readonly arrived: (bytes: Buffer) => void;
}

/**
 * Only for memory that nobody else holds. Left to the garbage collector, it makes it look through the whole heap for every
 * 64 MiB that pass, which is a fifth of what a restore takes of the processors.
 */
export function freeInOrder(): FreeInOrder {
  const underWay: ArrayBufferLike[] = [];
  return {
    sent({ buffer }) {
      if (underWay.at(-1) !== buffer) underWay.push(buffer);
    },
    arrived({ buffer }) {
      const before = underWay.indexOf(buffer);
      for (const each of underWay.splice(0, Math.max(0, before))) free(each);
    },
  };
}

/** Tells of each piece as it goes on its way. */
export async function* announced(
  bytes: AsyncIterable<Buffer>,
  memory: FreeInOrder | undefined,
): AsyncGenerator<Buffer, void, void> {
  for await (const piece of bytes) {
    memory?.sent(piece);
    yield piece;
  }
}

function free(memory: ArrayBufferLike): void {
  if (memory instanceof ArrayBuffer && memory.byteLength >= smallest) memory.transfer(0);
}

/** What is smaller may be shared by buffers of other owners (Buffer.poolSize). */
const smallest = 256 * 1024;
