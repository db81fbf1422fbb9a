import { terminal } from '../../domain/failure.ts';
import { type WalLocation, walPath } from '../../domain/layout.ts';
import { parseWalFileName, startOfSegment } from '../../domain/wal/file-name.ts';
import type { Store } from '../../repository/store.ts';

export interface StoredWal {
  readonly key: string;
  /** As PostgreSQL has it. */
  readonly name: string;
  /** Of a segment, a .partial or a .backup file; counted from the beginning of the WAL. */
  readonly numberIn: (segmentSize: number) => bigint;
  readonly isSegment: boolean;
  readonly time: Date;
  /** As stored. */
  readonly size: number;
}

/** A name as PostgreSQL gives it, packed and encrypted or not. */
const packed = /^([0-9A-F]{24}(?:\.partial|\.[0-9A-F]{8}\.backup)?)(?:\.(?:zst|gz|lz4))?(?:\.(?:age|gpg))?$/;

/** Every object in a timeline's folder, in the order of the WAL; one that is no WAL of this timeline is an UnknownObject. */
export async function* listWal(
  store: Store,
  location: WalLocation,
  timeline: number,
  signal: AbortSignal,
): AsyncGenerator<StoredWal, void, void> {
  const folder = `${walPath(location)}/${timeline.toString(16).toUpperCase().padStart(8, '0')}/`;
  for await (const { key, size, lastModified } of store.list(folder, { signal })) {
    const name = packed.exec(key.slice(folder.length))?.[1] ?? '';
    const file = parseWalFileName(name);
    if (file === undefined || file.kind === 'History' || file.timeline !== timeline) {
      throw terminal(
        'UnknownObject',
        `${key} in ${store.description} is nothing that Tidemark writes there, so it may be somebody's who would miss it. Nothing more was deleted. Move it away.`,
      );
    }
    yield {
      key,
      name,
      numberIn: (segmentSize) => startOfSegment(file.number, segmentSize) / BigInt(segmentSize),
      isSegment: file.kind === 'Segment',
      time: lastModified,
      size,
    };
  }
}

/** Those before a segment, all without one. The listing is in order, so that it ends there. */
export async function* listWalBefore(
  store: Store,
  location: WalLocation,
  {
    timeline,
    before,
    segmentSize,
  }: { readonly timeline: number; readonly before: bigint | undefined; readonly segmentSize: number },
  signal: AbortSignal,
): AsyncGenerator<StoredWal, void, void> {
  for await (const file of listWal(store, location, timeline, signal)) {
    if (before !== undefined && file.numberIn(segmentSize) >= before) return;
    yield file;
  }
}
