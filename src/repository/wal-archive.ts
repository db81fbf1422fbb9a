import { Failure, terminal } from '../domain/failure.ts';
import { type WalLocation, walPath } from '../domain/layout.ts';
import { parseWalFileName } from '../domain/wal/file-name.ts';
import { type Ancestor, parseTimelineHistory } from '../domain/wal/timeline-history.ts';
import type { CallOptions, Store } from './store.ts';
import { isPacked, pack, type Stored, unpack } from './wal-packing.ts';

/** The WAL of one server in one repository. Names are those that PostgreSQL gives its files. */
export interface WalArchive {
  readonly store: Store;
  /** The archive's folder under the repository's prefix. */
  readonly path: string;
  /**
   * Stores a file whole; it is durable when this resolves. A file that is there with the same content is AlreadyThere;
   * one with other content stays as it is, and the call rejects with a terminal WalConflict.
   */
  put(name: string, content: Buffer, options: CallOptions): Promise<'Stored' | 'AlreadyThere'>;
  /** The file as the server wrote it; undefined only where the store has said that it does not exist. */
  get(name: string, options: CallOptions): Promise<Buffer | undefined>;
  has(name: string, options: CallOptions): Promise<boolean>;
  /** What a timeline's folder holds, in the order of names: segments, .partial and .backup files. */
  list(timeline: number, options: CallOptions): AsyncIterable<ArchivedFile>;
  /** The timelines that have segments, in order. */
  timelines(options: CallOptions): Promise<readonly number[]>;
  /** The ancestors of every timeline that has a history file. */
  histories(options: CallOptions): Promise<ReadonlyMap<number, readonly Ancestor[]>>;
}

export interface ArchivedFile {
  readonly name: string;
  /** When the store got it. */
  readonly time: Date;
  /** Bytes as stored. */
  readonly storedSize: number;
}

/** `level`: of zstd, for what is written. */
export function openWalArchive(store: Store, location: WalLocation, level = 1): WalArchive {
  const path = walPath(location);
  const keyOf = (name: string) => `${path}/${placeOf(name)}`;
  const get = async (name: string, options: CallOptions) => {
    const key = keyOf(name);
    if (isHistory(name)) return await orUndefined(store.get(key, options));
    const stored = await orUndefined(getStored(store, key, options));
    return stored === undefined ? undefined : await unpack(stored, `${key} in ${store.description}`);
  };
  const compare = async (name: string, content: Buffer, options: CallOptions) => {
    const stored = await orUndefined(getStored(store, keyOf(name), options));
    // What a writer leaves that is killed between taking the name and giving it a content.
    if (Buffer.isBuffer(stored) && stored.length === 0) {
      await store.put(keyOf(name), isHistory(name) ? content : await pack(content, level), {
        ...options,
        ifAbsent: false,
      });
      return;
    }
    if (stored !== undefined && (await isSame(name, stored, content))) return;
    throw terminal(
      'WalConflict',
      `${keyOf(name)} in ${store.description} holds other WAL than the server wants to archive under that name, or is damaged, and stays as it is. Mostly two servers that were one write here: an old primary that came back, or a copy that was started with the settings of the original. Stop archiving on the one that is not to be protected; if it is this one that counts, give it a policy of its own. An object that is damaged (zstd -t says so) is to be moved away by hand; the server then archives it again.`,
    );
  };
  return {
    store,
    path,
    async put(name, content, options) {
      const body = isHistory(name) ? content : await pack(content, level);
      try {
        await store.put(keyOf(name), body, { ...options, ifAbsent: true });
        return 'Stored';
      } catch (error) {
        if (!(error instanceof Failure) || error.reason !== 'ObjectExists') throw error;
        await compare(name, content, options);
        return 'AlreadyThere';
      }
    },
    get,
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

/** Segments may have up to 1 GiB; most are small, and one request for each is the quickest. */
async function getStored(store: Store, key: string, options: CallOptions): Promise<Stored> {
  try {
    return await store.get(key, options);
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'ObjectTooLarge') throw error;
    return await store.download(key, options);
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

async function isSame(name: string, stored: Stored, content: Buffer): Promise<boolean> {
  if (!isHistory(name)) return await isPacked(stored, content);
  return Buffer.isBuffer(stored) && stored.equals(content);
}

function isHistory(name: string): boolean {
  return parseWalFileName(name)?.kind === 'History';
}

function eight(timeline: number): string {
  return timeline.toString(16).toUpperCase().padStart(8, '0');
}
