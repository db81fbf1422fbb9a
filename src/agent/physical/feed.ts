/** Hands buffers from who has them to who reads them, a bounded number of bytes at a time. */
export interface Feed {
  /** What has been written, until end(). */
  readonly stream: AsyncIterable<Buffer>;
  /** A promise where the writer is to wait. */
  write(bytes: Buffer): Promise<void> | undefined;
  end(): void;
}

const limit = 1024 ** 2;

/** When the signal aborts, or the reader stops, what is written falls, and nobody waits any more. */
export function createFeed(signal: AbortSignal): Feed {
  let waiting: Buffer[] = [];
  let bytes = 0;
  let ended = false;
  let closed = false;
  let wakeReader = () => {};
  let wakeWriter = () => {};
  const close = () => {
    closed = true;
    waiting = [];
    wakeWriter();
  };
  signal.addEventListener('abort', close, { once: true });
  async function* read(): AsyncGenerator<Buffer, void, void> {
    try {
      for (;;) {
        const taken = waiting;
        waiting = [];
        for (const one of taken) {
          yield one;
          bytes -= one.length;
          if (bytes < limit) wakeWriter();
        }
        if (waiting.length > 0) continue;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }
  return {
    stream: read(),
    write(more) {
      if (closed) return undefined;
      waiting.push(more);
      bytes += more.length;
      wakeReader();
      if (bytes < limit) return undefined;
      return new Promise((resolve) => {
        wakeWriter = resolve;
      });
    },
    end() {
      ended = true;
      wakeReader();
    },
  };
}
