/**
 * One stream as several with the same buffers, all at the speed of the slowest: nothing is kept for one that lags. The
 * source's error is everyone's; where one reader stops, the others are told by whoever runs them.
 */
export function fanOut(source: AsyncIterable<Buffer>, count: number): readonly AsyncIterable<Buffer>[] {
  if (count === 1) return [source];
  const iterator = source[Symbol.asyncIterator]();
  let reading: Promise<IteratorResult<Buffer>> | undefined;
  let arrived = 0;
  let active = count;
  let release: (() => void) | undefined;
  let everybody = new Promise<void>((resolve) => {
    release = resolve;
  });

  const meet = async () => {
    arrived += 1;
    if (arrived >= active) open();
    else await everybody;
  };
  const open = () => {
    arrived = 0;
    reading = undefined;
    release?.();
    everybody = new Promise<void>((resolve) => {
      release = resolve;
    });
  };

  async function* reader(): AsyncGenerator<Buffer, void, void> {
    let ended = false;
    try {
      for (;;) {
        reading ??= iterator.next();
        const next = await reading;
        if (next.done === true) {
          ended = true;
          return;
        }
        yield next.value;
        // The next one is fetched when all have taken this one.
        await meet();
      }
    } finally {
      active -= 1;
      if (!ended) {
        if (active === 0) await iterator.return?.();
        else if (arrived >= active) open();
      }
    }
  }
  return Array.from({ length: count }, reader);
}
