/**
 * Does the work of all items, so many at a time, each worker the next one that waits. The first failure ends the others and
 * is what it rejects with; resolves when none is at work any more.
 */
export async function workThrough<Item>(
  items: readonly Item[],
  { beside, signal }: { readonly beside: number; readonly signal: AbortSignal },
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  const either = AbortSignal.any([signal, stopping.signal]);
  const waiting = [...items];
  const workers = Array.from({ length: beside }, async () => {
    try {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item, either);
    } catch (error) {
      stopping.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(workers);
  signal.throwIfAborted();
  stopping.signal.throwIfAborted();
}
