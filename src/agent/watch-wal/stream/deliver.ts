import type { Lsn } from '../../../domain/wal/lsn.ts';
import type { WalContent } from '../../../repository/large-wal.ts';

/** A file of WAL, and the end of what it holds. */
export interface Parcel {
  readonly name: string;
  readonly content: WalContent;
  /** Its beginning, and the bytes of all of it. */
  readonly head: Buffer;
  readonly size: number;
  readonly end: Lsn;
}

export interface Delivery {
  /** Resolves as soon as there is room for another one; rejects with what made an earlier one fail. */
  push(parcel: Parcel): Promise<void>;
  /** Whether nothing is under way. */
  idle(): boolean;
  /** Resolves when all are stored. */
  drain(): Promise<void>;
  /** Resolves when nothing is under way, whatever came of it. */
  settled(): Promise<void>;
}

/**
 * Stores several at once, and tells of progress in order only: `onDurable` gets an end when everything before it is
 * stored. After a failure nothing more is told.
 */
export function deliverInOrder(options: {
  readonly store: (parcel: Parcel) => Promise<void>;
  readonly atOnce: number;
  readonly onDurable: (parcel: Parcel) => void;
}): Delivery {
  const { store, atOnce, onDurable } = options;
  const pending: Promise<void>[] = [];
  const storing = new Set<Promise<void>>();
  let previous: Promise<void> = Promise.resolve();
  const finished = (promise: Promise<void>) => {
    pending.splice(pending.indexOf(promise), 1);
  };
  return {
    async push(parcel) {
      const stored = store(parcel);
      storing.add(stored);
      const forget = () => storing.delete(stored);
      stored.then(forget, forget);
      const told = Promise.all([previous, stored]).then(() => onDurable(parcel));
      previous = told;
      pending.push(told);
      told.then(
        () => finished(told),
        // It stays for push() and drain() to reject with.
        () => undefined,
      );
      if (pending.length >= atOnce) await pending[0];
    },
    idle: () => pending.length === 0,
    async drain() {
      await Promise.all(pending);
    },
    async settled() {
      await Promise.allSettled(storing);
    },
  };
}
