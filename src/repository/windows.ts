interface Pace {
  readonly windowSize: number;
  /** Windows under way or waiting for the reader. */
  readonly ahead: number;
}

/** 16 MiB at a time. */
const usual: Pace = { windowSize: 4 * 1024 ** 2, ahead: 4 };
const sparingly: Pace = { windowSize: 1024 ** 2, ahead: 1 };

/** A range of an object as it was read. */
export interface Window {
  /** As they came: copying them together would only make garbage twice. */
  readonly chunks: readonly Buffer[];
  /** Of the whole object. */
  readonly total: number;
  /** What tells this content from another under the same key. */
  readonly version: string | undefined;
}

export interface WindowRequest {
  readonly start: number;
  readonly windowSize: number;
  /** Of the first window: another content is a failure. */
  readonly version?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * The object by ranges, some ahead of the reader. So no connection stands idle while the reader is slow (pg_restore may
 * not read for an hour while it builds an index), and a broken one costs a range, not the download.
 */
export async function downloadByWindows(
  read: (request: WindowRequest) => Promise<Window>,
  { signal, sparing = false }: { readonly signal: AbortSignal; readonly sparing?: boolean | undefined },
): Promise<AsyncIterable<Buffer>> {
  const pace = sparing ? sparingly : usual;
  const first = await read({ start: 0, windowSize: pace.windowSize, signal });
  return readAhead(read, first, { signal, pace });
}

async function* readAhead(
  read: (request: WindowRequest) => Promise<Window>,
  first: Window,
  { signal: outer, pace: { windowSize, ahead: most } }: { readonly signal: AbortSignal; readonly pace: Pace },
): AsyncGenerator<Buffer, void, void> {
  const abandoned = new AbortController();
  const signal = AbortSignal.any([outer, abandoned.signal]);
  const ahead: Promise<Window>[] = [];
  let next = Math.min(windowSize, first.total);
  const fill = () => {
    while (ahead.length < most && next < first.total) {
      const window = read({ start: next, windowSize, version: first.version, signal });
      window.catch(() => undefined);
      ahead.push(window);
      next += windowSize;
    }
  };
  try {
    fill();
    yield* first.chunks;
    for (let window = ahead.shift(); window !== undefined; window = ahead.shift()) {
      const { chunks } = await window;
      fill();
      yield* chunks;
    }
  } finally {
    abandoned.abort();
  }
}
