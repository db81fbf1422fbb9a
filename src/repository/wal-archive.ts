import type { Encryption } from '../domain/encryption.ts';
import { Failure, terminal } from '../domain/failure.ts';
import { type WalLocation, walIndexPath, walPath } from '../domain/layout.ts';
import { parseWalFileName } from '../domain/wal/file-name.ts';
import { type Ancestor, parseTimelineHistory } from '../domain/wal/timeline-history.ts';
import type { Compression } from '../stream/compress.ts';
import type { Identity } from './identity.ts';
import { largestInMemory, type WalContent } from './large-wal.ts';
import { orFromAnother } from './mirrored-store.ts';
import type { CallOptions, Store } from './store.ts';
import { getStored, type Stored, tellEncrypted } from './stored-wal.ts';
import { readWal, unpackWal } from './wal-content.ts';
import { type CommitTimes, commitTimesIn, commitTimesOf, commitTimesOfPieces, readIndex } from './wal-index.ts';
import { putPacked, putPlainly } from './wal-put.ts';

/** The WAL of one server in one repository. Names are those that PostgreSQL gives its files. */
export interface WalArchive {
  readonly store: Store;
  /** The archive's folder under the repository's prefix. */
  readonly path: string;
  /** For whom what is written is encrypted. */
  readonly encryption: Encryption | undefined;
  /** Where a file lies, and what stands beside it where it is encrypted. */
  keysOf(name: string): { readonly key: string; readonly indexKey: string };
  /**
   * Stores a file whole; it is durable when this resolves. A file that is there with the same content is AlreadyThere;
   * one with other content stays as it is, and the call rejects with a terminal WalConflict.
   */
  put(name: string, content: WalContent, options: CallOptions): Promise<'Stored' | 'AlreadyThere'>;
  /** The file as the server wrote it; undefined only where the store has said that it does not exist. */
  get(name: string, options: CallOptions): Promise<Buffer | undefined>;
  /** The same as it comes, for what is too large for the memory; rejects before the first byte where it is not there. */
  read(name: string, options: CallOptions): AsyncIterable<Buffer>;
  /** Has it taken as it comes, again from another repository where it is damaged in one; undefined where it is not there. */
  readInto<Result>(
    name: string,
    take: (pieces: AsyncIterable<Buffer>) => Promise<Result>,
    options: CallOptions,
  ): Promise<Result | undefined>;
  /** Of a segment, also where it is encrypted; undefined where it is not there, or where nothing tells. */
  commitTimes(name: string, options: CommitTimesOptions): Promise<CommitTimes | undefined>;
  has(name: string, options: CallOptions): Promise<boolean>;
  /** What a timeline's folder holds, in the order of names: segments, .partial and .backup files. */
  list(timeline: number, options: CallOptions): AsyncIterable<ArchivedFile>;
  /** The timelines that have segments, in order. */
  timelines(options: CallOptions): Promise<readonly number[]>;
  /** The ancestors of every timeline that has a history file. */
  histories(options: CallOptions): Promise<ReadonlyMap<number, readonly Ancestor[]>>;
}

export interface CommitTimesOptions extends CallOptions {
  /** Bytes: large ones are not held whole. */
  readonly segmentSize?: number;
}

export interface ArchivedFile {
  readonly name: string;
  /** When the store got it. */
  readonly time: Date;
  /** Bytes as stored. */
  readonly storedSize: number;
}

export interface WalArchiveOptions {
  /** For what is written; absent: zstd. What is there is read whatever it is packed with. */
  readonly compression?: Compression | undefined;
  /** For whom it is encrypted, what is written; absent: nobody. */
  readonly encryption?: Encryption | undefined;
  /** For reading what is encrypted. */
  readonly identity?: Identity | undefined;
}

/**
 * A file has one key, however it is packed and encrypted or not, so that two contents can never stand beside one another;
 * what it is its first bytes tell.
 */
export function openWalArchive(
  store: Store,
  location: WalLocation,
  { compression = { algorithm: 'zstd' }, encryption, identity }: WalArchiveOptions = {},
): WalArchive {
  const path = walPath(location);
  const keyOf = (name: string) => `${path}/${placeOf(name)}`;
  const indexKeyOf = (name: string) => walIndexPath(location, timelineOf(name), name);
  const encryptionOf = async (name: string, options: CallOptions) =>
    (await readIndex(store, indexKeyOf(name), options))?.encryption;
  const opening = (name: string, options: CallOptions) => ({ identity, encryption: () => encryptionOf(name, options) });
  const unpacked = (name: string, bytes: Stored, options: CallOptions) =>
    unpackWal({ bytes, store, key: keyOf(name) }, opening(name, options), options);
  const read = async function* (name: string, options: CallOptions): AsyncGenerator<Buffer, void, void> {
    const key = keyOf(name);
    yield* readWal({ bytes: await getStored(store, key, options), store, key }, opening(name, options), options);
  };
  const get = async (name: string, options: CallOptions) => {
    const key = keyOf(name);
    if (isHistory(name)) return await orUndefined(store.get(key, options));
    return orFromAnother(store, key, async () => {
      const stored = await orUndefined(getStored(store, key, options));
      return stored === undefined ? undefined : await unpacked(name, stored, options);
    });
  };
  return {
    store,
    path,
    encryption,
    keysOf: (name) => ({ key: keyOf(name), indexKey: indexKeyOf(name) }),
    put(name, content, options) {
      const file = { store, key: keyOf(name), indexKey: indexKeyOf(name), name, content };
      if (Buffer.isBuffer(content) && isHistory(name)) return putPlainly({ ...file, content }, options);
      return putPacked(file, { compression, encryption }, options);
    },
    get,
    read,
    readInto: (name, take, options) => orFromAnother(store, keyOf(name), () => orUndefined(take(read(name, options)))),
    async commitTimes(name, { segmentSize = 0, ...options }) {
      const index = () => readIndex(store, indexKeyOf(name), options);
      const known = encryption === undefined ? undefined : await index();
      if (known !== undefined) return commitTimesOf(known);
      const there = await orUndefined(getStored(store, keyOf(name), options));
      if (there === undefined) return undefined;
      const { encrypted, stored, close } = await tellEncrypted(there);
      if (encrypted === undefined && segmentSize > largestInMemory) {
        const file = { bytes: stored, store, key: keyOf(name) };
        return commitTimesOfPieces(name, readWal(file, opening(name, options), options));
      }
      if (encrypted === undefined) return commitTimesIn(name, await unpacked(name, stored, options));
      await close();
      const told = await index();
      return told === undefined ? undefined : commitTimesOf(told);
    },
    has: async (name, options) => (await store.head(keyOf(name), options)) !== undefined,
    async *list(timeline, options) {
      for await (const { key, size, lastModified } of store.list(`${path}/${eight(timeline)}/`, options)) {
        const name = key.slice(key.lastIndexOf('/') + 1).replace(/\.zst$/, '');
        if (parseWalFileName(name) !== undefined) yield { name, time: lastModified, storedSize: size };
      }
    },
    async timelines(options) {
      const found: number[] = [];
      for await (const folder of store.listFolders(`${path}/`, options))
        if (/^[0-9A-F]{8}$/.test(folder)) found.push(Number.parseInt(folder, 16));
      return found.sort((one, other) => one - other);
    },
    async histories(options) {
      const found = new Map<number, readonly Ancestor[]>();
      for (const name of await historyNames(store, path, options)) {
        const content = await get(name, options);
        if (content !== undefined) found.set(Number.parseInt(name, 16), ancestorsOf(content, keyOf(name), store));
      }
      return found;
    },
  };
}

/** History files lie together and stay readable: they are the map of all the rest. */
function placeOf(name: string): string {
  const file = parseWalFileName(name);
  if (file === undefined) throw terminal('NoWalFile', `${JSON.stringify(name)} is no name of a WAL file.`);
  return file.kind === 'History' ? `history/${name}` : `${eight(file.timeline)}/${name}.zst`;
}

function timelineOf(name: string): number {
  const file = parseWalFileName(name);
  if (file === undefined) throw terminal('NoWalFile', `${JSON.stringify(name)} is no name of a WAL file.`);
  return file.timeline;
}

async function historyNames(store: Store, path: string, options: CallOptions): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { key } of store.list(`${path}/history/`, options)) {
    const name = key.slice(key.lastIndexOf('/') + 1);
    if (parseWalFileName(name)?.kind === 'History') names.push(name);
  }
  return names;
}

function ancestorsOf(content: Buffer, key: string, store: Store): readonly Ancestor[] {
  try {
    return parseTimelineHistory(content.toString('utf8'));
  } catch (cause) {
    throw terminal(
      'DamagedHistory',
      `${key} in ${store.description} is not a timeline history file: ${cause instanceof Error ? cause.message : String(cause)}. Restore it from a copy of the repository.`,
      cause,
    );
  }
}

async function orUndefined<Found>(getting: Promise<Found>): Promise<Found | undefined> {
  try {
    return await getting;
  } catch (error) {
    if (error instanceof Failure && error.reason === 'NoSuchObject') return undefined;
    throw error;
  }
}

function isHistory(name: string): boolean {
  return parseWalFileName(name)?.kind === 'History';
}

function eight(timeline: number): string {
  return timeline.toString(16).toUpperCase().padStart(8, '0');
}
