/** Fixed buffers for parts, used again and again; what is idle is bounded. Memory of their own, so no slab is pinned. */
export interface BufferPool {
  readonly acquire: (size: number) => Buffer;
  readonly release: (buffer: Buffer) => void;
}

export function createBufferPool(idleLimit: number): BufferPool {
  let idle: Buffer[] = [];
  return {
    acquire(size) {
      const index = idle.findIndex(({ length }) => length === size);
      if (index >= 0) return idle.splice(index, 1)[0] ?? Buffer.allocUnsafeSlow(size);
      // Buffers of another size are of no use to whoever grows; keeping them would add to the new ones.
      idle = [];
      return Buffer.allocUnsafeSlow(size);
    },
    release(buffer) {
      const total = idle.reduce((sum, { length }) => sum + length, buffer.length);
      if (total <= idleLimit) idle.push(buffer);
    },
  };
}

/** Waits for room, so that the parts of one upload stay within its memory. One waiter at a time: the stream's reader. */
export interface MemoryBudget {
  readonly take: (size: number) => Promise<Buffer>;
  readonly give: (buffer: Buffer) => void;
  /** Counts as given, but is never used again: something may still read it. */
  readonly drop: (buffer: Buffer) => void;
}

export function createMemoryBudget(
  pool: BufferPool,
  memoryFor: (size: number) => number,
  signal: AbortSignal,
): MemoryBudget {
  let taken = 0;
  let wake: (() => void) | undefined;
  signal.addEventListener('abort', () => wake?.(), { once: true });
  const drop = (buffer: Buffer) => {
    taken -= buffer.length;
    wake?.();
  };
  return {
    async take(size) {
      while (taken > 0 && taken + size > memoryFor(size)) {
        signal.throwIfAborted();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      signal.throwIfAborted();
      taken += size;
      return pool.acquire(size);
    },
    give(buffer) {
      pool.release(buffer);
      drop(buffer);
    },
    drop,
  };
}
