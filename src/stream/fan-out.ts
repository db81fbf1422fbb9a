export interface Branch extends AsyncIterable<Buffer> {
  /** For who stops reading, or never began: the others do not wait for this one any more. Repeating is fine. */
  leave(): void;
}

/**
 * One stream as several with the same buffers, all at the speed of the slowest: nothing is kept for one that lags. The
 * source's error is everyone's; one that leaves is not waited for, and when all have left, the source is ended.
 */
export function fanOut(source: AsyncIterable<Buffer>, count: number): readonly Branch[] {
  if (count === 1) return [{ [Symbol.asyncIterator]: () => source[Symbol.asyncIterator](), leave: () => undefined }];
  const iterator = source[Symbol.asyncIterator]();
  let reading: Promise<IteratorResult<Buffer>> | undefined;
  let ended = false;
  let arrived = 0;
  let active = count;
  let turn = createTurn();

  const open = () => {
    arrived = 0;
    reading = undefined;
    const { release } = turn;
    turn = createTurn();
    release();
  };
  const branch = (): Branch => {
    let left = false;
    let awaited: Turn | undefined;
    const leave = () => {
      if (left) return;
      left = true;
      active -= 1;
      if (awaited === turn) arrived -= 1;
      if (ended) return;
      if (active === 0) void iterator.return?.().catch(() => undefined);
      else if (arrived >= active) open();
    };
    async function* read(): AsyncGenerator<Buffer, void, void> {
      try {
        while (!left) {
          reading ??= iterator.next();
          const next = await reading;
          if (next.done === true) {
            ended = true;
            return;
          }
          yield next.value;
          if (left) return;
          // The next one is fetched when all have taken this one.
          arrived += 1;
          awaited = turn;
          if (arrived >= active) open();
          else await awaited.passed;
        }
      } finally {
        leave();
      }
    }
    return { [Symbol.asyncIterator]: read, leave };
  };
  return Array.from({ length: count }, branch);
}

interface Turn {
  readonly passed: Promise<void>;
  readonly release: () => void;
}

function createTurn(): Turn {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, release: resolve };
}
