export interface Peeked {
  /** At least so many bytes as were asked for, where there are. */
  readonly head: Buffer;
  /** All of it, the head too. */
  readonly stream: AsyncIterable<Buffer>;
  /** For who does not read it to its end. */
  readonly close: () => Promise<void>;
}

/** Reads the beginning of a stream and gives it back. */
export async function peek(source: AsyncIterable<Buffer>, bytes: number): Promise<Peeked> {
  const pieces = source[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < bytes) {
    const next = await pieces.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  const close = async () => {
    await pieces.return?.();
  };
  return { head, stream: following(head, pieces), close };
}

async function* following(head: Buffer, pieces: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, void> {
  let ended = false;
  try {
    if (head.length > 0) yield head;
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
