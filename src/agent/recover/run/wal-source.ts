import type { PhysicalManifest, StoredObject } from '../../../domain/manifest.ts';
import { parseWalFileName } from '../../../domain/wal/file-name.ts';
import type { Identity } from '../../../repository/identity.ts';
import { orFromAnother } from '../../../repository/mirrored-store.ts';
import type { CallOptions, Store } from '../../../repository/store.ts';
import type { WalArchive } from '../../../repository/wal-archive.ts';
import { readWal, unpackWal } from '../../../repository/wal-content.ts';
import { verified } from '../../../stream/digest.ts';

/** Where replay's WAL comes from. */
export interface WalSource {
  /** The file as the server wrote it; undefined only where the store has said that it does not exist. */
  get(name: string, options: CallOptions): Promise<Buffer | undefined>;
  /** Has it taken as it comes, for what is too large for the memory; maybe a second time, from another repository. */
  readInto: WalArchive['readInto'];
}

export interface BackupWithWal {
  readonly store: Store;
  readonly path: string;
  readonly manifest: PhysicalManifest;
  /** For a backup that is encrypted. */
  readonly identity: Identity;
}

/** The backup's own WAL first (walMethod Stream), whose digests the manifest has; then the archive's. */
export function openWalSource(archive: WalArchive, backup: BackupWithWal): WalSource {
  const { manifest } = backup;
  const own = new Map(manifest.physical.wal.map((object) => [nameOf(object), object]));
  return {
    async get(name, options) {
      // A .partial is never what a segment's name asks for: it ends anywhere.
      const kind = parseWalFileName(name)?.kind;
      if (kind !== 'Segment' && kind !== 'History') return undefined;
      const object = own.get(name);
      return object === undefined ? archive.get(name, options) : getOwn(backup, object, options);
    },
    async readInto(name, take, options) {
      if (parseWalFileName(name)?.kind !== 'Segment') return undefined;
      const object = own.get(name);
      if (object === undefined) return archive.readInto(name, take, options);
      const { store, path } = backup;
      return orFromAnother(store, `${path}/${object.path}`, () => take(readOwn(backup, object, options)));
    },
  };
}

function nameOf({ path }: StoredObject): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.(zst|gz|lz4)(\.(age|gpg))?$/, '');
}

async function getOwn(
  { store, path, identity, manifest: { encryption } }: BackupWithWal,
  object: StoredObject,
  options: CallOptions,
): Promise<Buffer> {
  const key = `${path}/${object.path}`;
  return orFromAnother(store, key, async () => {
    const parts: Buffer[] = [];
    for await (const part of verified(await store.download(key, options), object, `${key} in ${store.description}`)) {
      parts.push(part);
    }
    const bytes = Buffer.concat(parts);
    return unpackWal({ bytes, store, key }, { identity, encryption: async () => encryption }, options);
  });
}

async function* readOwn(
  { store, path, identity, manifest: { encryption } }: BackupWithWal,
  object: StoredObject,
  options: CallOptions,
): AsyncGenerator<Buffer, void, void> {
  const key = `${path}/${object.path}`;
  const bytes = verified(await store.download(key, options), object, `${key} in ${store.description}`);
  yield* readWal({ bytes, store, key }, { identity, encryption: async () => encryption }, options);
}
