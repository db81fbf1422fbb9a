import type { Encryption } from './encryption.ts';
import { baseObjects, type Manifest, type StoredObject } from './manifest.ts';

/** Every stored object that a manifest names. */
export function objectsOf(backup: Manifest): readonly StoredObject[] {
  if (backup.method === 'Physical') {
    const { backupManifest, fileList, wal } = backup.physical;
    return [...baseObjects(backup.physical), backupManifest, ...(fileList === undefined ? [] : [fileList]), ...wal];
  }
  const { logical } = backup;
  const databases = logical.databases.flatMap(({ objects, contents }) => [...objects, contents]);
  return logical.globals === undefined ? databases : [...databases, logical.globals];
}

/** Whether it is stored as it is, for whomever the backup is encrypted. */
export function isNeverEncrypted(backup: Manifest, { path }: Pick<StoredObject, 'path'>): boolean {
  return backup.method === 'Physical' && backup.physical.fileList?.path === path;
}

/** The manifest of the same backup where its objects are others, because they are encrypted for others. */
export function withObjects(
  backup: Manifest,
  encryption: Encryption | undefined,
  objectFor: (object: StoredObject) => StoredObject,
): Manifest {
  const { encryption: _, ...rest } = replaced(backup, objectFor);
  const stored = objectsOf(rest).reduce((sum, { size }) => sum + size, 0);
  const { scheme, recipients } = encryption ?? {};
  return {
    ...rest,
    ...(scheme === undefined ? {} : { encryption: { scheme, recipients: [...(recipients ?? [])] } }),
    size: { ...rest.size, stored },
  };
}

function replaced(backup: Manifest, objectFor: (object: StoredObject) => StoredObject): Manifest {
  const other = <Named extends StoredObject>(named: Named): Named => {
    const { path, size, sha256 } = objectFor(named);
    return { ...named, path, size, sha256 };
  };
  if (backup.method === 'Physical') {
    const { physical } = backup;
    const { chunks, streams, backupManifest, fileList, wal } = physical;
    const changed = {
      chunks: chunks.map(other),
      ...(streams === undefined ? {} : { streams: streams.map((each) => ({ ...each, parts: each.parts.map(other) })) }),
      backupManifest: other(backupManifest),
      ...(fileList === undefined ? {} : { fileList: other(fileList) }),
      wal: wal.map(other),
    };
    return { ...backup, physical: { ...physical, ...changed } };
  }
  const { logical } = backup;
  const { databases, globals } = logical;
  const changed = {
    databases: databases.map((each) => ({
      ...each,
      objects: each.objects.map(other),
      contents: other(each.contents),
    })),
    ...(globals === undefined ? {} : { globals: other(globals) }),
  };
  return { ...backup, logical: { ...logical, ...changed } };
}
