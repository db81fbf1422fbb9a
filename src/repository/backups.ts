import { isDeepStrictEqual } from 'node:util';
import { Failure, terminal, transient } from '../domain/failure.ts';
import { type BackupLocation, backupPath, manifestName, startedName } from '../domain/layout.ts';
import { knownFormats, type Manifest, manifest, type StoredObject } from '../domain/manifest.ts';
import { objectsOf } from '../domain/manifest-objects.ts';
import { type Started, startedFormat, started as startedSchema } from '../domain/started.ts';
import { sha256Of } from '../stream/digest.ts';
import { orFromAnother } from './mirrored-store.ts';
import { isSealBroken, seal } from './seal.ts';
import type { Store } from './store.ts';

/** An ID is the second of its beginning, so that two of one second are told apart by a number at its end. */
const idAttempts = 100;
const deleteBatch = 1000;

/**
 * Claims a folder for a backup by a conditional put of started.json. Where the ID is taken, the next free one is
 * (`…-2`, `…-3`): the location returned is the one to use from here on.
 */
export async function beginBackup(
  store: Store,
  location: BackupLocation,
  started: Omit<Started, 'format' | 'backupID'>,
  signal: AbortSignal,
): Promise<BackupLocation> {
  for (let attempt = 1; attempt <= idAttempts; attempt += 1) {
    const claimed = attempt === 1 ? location : { ...location, backupID: `${location.backupID}-${attempt}` };
    if (await claim(store, claimed, { format: startedFormat, backupID: claimed.backupID, ...started }, signal))
      return claimed;
  }
  throw transient(
    'BackupIDTaken',
    `Cannot begin backup ${location.backupID} in ${store.description}: this ID and the ${idAttempts - 1} after it are taken. Start the backup again later.`,
  );
}

async function claim(store: Store, location: BackupLocation, record: Started, signal: AbortSignal): Promise<boolean> {
  const key = `${backupPath(location)}/${startedName}`;
  try {
    await store.put(key, toJson(record), { ifAbsent: true, contentType: 'application/json', signal });
  } catch (error) {
    if (error instanceof Failure && error.reason === 'ObjectExists') return false;
    throw error;
  }
  // A store without conditional writes lets two writers through: the record that stays says who has the folder.
  return isDeepStrictEqual(parse(await store.get(key, { signal })), record);
}

/**
 * Makes the backup exist: checks that every object it names is stored in its size, writes manifest.json, which must not
 * be there, reads it back and compares. Returns the digest of the manifest's bytes.
 */
export async function commitBackup(
  store: Store,
  location: BackupLocation,
  backup: Manifest,
  signal: AbortSignal,
): Promise<{ readonly sha256: string }> {
  return commitManifest(
    store,
    backupPath(location),
    { manifest: backup, bytes: Buffer.from(seal(toJson(manifest.parse(backup)).toString())) },
    signal,
  );
}

/** The same with a manifest's bytes as another repository has them: a copy has its digest. */
export async function commitManifest(
  store: Store,
  folder: string,
  { manifest: backup, bytes: body }: { readonly manifest: Manifest; readonly bytes: Buffer },
  signal: AbortSignal,
): Promise<{ readonly sha256: string }> {
  await checkObjects(store, folder, objectsOf(backup), signal);
  const key = `${folder}/${manifestName}`;
  await store.put(key, body, { ifAbsent: true, contentType: 'application/json', signal });
  const stored = await store.get(key, { signal });
  if (!stored.equals(body)) {
    throw terminal(
      'ChecksumMismatch',
      `${key} in ${store.description} does not read back as it was written (${stored.length} bytes, ${body.length} written): the store cannot be trusted. Check it and start the backup again.`,
    );
  }
  return { sha256: sha256Of(body) };
}

/**
 * The manifest of the backup in a folder (`path` as BackupRun.status.repositories[].path and backupPath() give it).
 * `expectedSha256` is the checksum a BackupRun recorded: another content under the same name is refused.
 */
export async function readManifest(
  store: Store,
  path: string,
  {
    signal,
    expectedSha256,
  }: { readonly signal: AbortSignal; readonly expectedSha256?: string | readonly string[] | undefined },
): Promise<{ readonly manifest: Manifest; readonly sha256: string; readonly bytes: Buffer }> {
  const key = `${path}/${manifestName}`;
  const expected = expectedSha256 === undefined ? undefined : [expectedSha256].flat();
  return orFromAnother(store, key, () => readOnce(store, key, expected, signal));
}

async function readOnce(store: Store, key: string, expected: readonly string[] | undefined, signal: AbortSignal) {
  const bytes = await getManifest(store, key, signal);
  const sha256 = sha256Of(bytes);
  if (expected !== undefined && !expected.includes(sha256)) {
    throw terminal(
      'ChecksumMismatch',
      `${key} in ${store.description} has the digest ${sha256}, but ${expected.join(' or ')} was recorded when the backup was made: it was changed since. Use another backup, or find out who wrote to the repository.`,
    );
  }
  const found = checked(parse(bytes), key, store);
  // Not before its format is known to be one of ours.
  if (isSealBroken(bytes.toString('utf8'))) throw damaged(key, store, 'its seal is not that of its content');
  return { manifest: found, sha256, bytes };
}

async function getManifest(store: Store, key: string, signal: AbortSignal): Promise<Buffer> {
  try {
    return await store.get(key, { signal });
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'NoSuchObject') throw error;
    throw terminal(
      'BackupNotFound',
      `There is no backup at ${key} in ${store.description}: it was never completed, or has been removed. Choose another backup.`,
      error,
    );
  }
}

function checked(value: unknown, key: string, store: Store): Manifest {
  const result = manifest.safeParse(value);
  if (result.success) return result.data;
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (typeof format === 'number' && !knownFormats.some((known) => known === format)) {
    throw terminal(
      'UnknownFormat',
      `${key} in ${store.description} has the format ${format}; this version of Tidemark reads the formats ${knownFormats.join(', ')}. Use the version that wrote it, or a later one.`,
    );
  }
  throw damaged(key, store, describeIssues(result.error.issues), result.error);
}

function damaged(key: string, store: Store, why: string, cause?: unknown): Failure {
  return terminal(
    'DamagedManifest',
    `${key} in ${store.description} is not a manifest: ${why}. Use another backup; this one can only be restored by hand (docs/restore-by-hand.md).`,
    cause,
  );
}

function describeIssues(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): string {
  return issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.map(String).join('.') || 'the whole'}: ${message}`)
    .join('; ');
}

/** A listing may be older than what was deleted or stored just before it. */
const removalRounds = 3;

/** Removes a backup: the manifest first, so that it does not exist from then on, started.json last. Repeating is fine. */
export async function removeBackup(store: Store, path: string, signal: AbortSignal): Promise<void> {
  await store.delete([`${path}/${manifestName}`], { signal });
  const started = `${path}/${startedName}`;
  // Until a listing shows nothing more: without started.json nobody would know for days what the rest is.
  for (let round = 0; round < removalRounds && (await deleteListed(store, path, started, signal)); round += 1);
  await store.sweepUnfinished(`${path}/`, new Date(8.64e15), { signal });
  await store.delete([started], { signal });
}

/** Whether there was anything besides the one that is kept. */
async function deleteListed(store: Store, path: string, kept: string, signal: AbortSignal): Promise<boolean> {
  let batch: string[] = [];
  let found = false;
  const flush = async () => {
    if (batch.length > 0) await store.delete(batch, { signal });
    batch = [];
  };
  for await (const { key } of store.list(`${path}/`, { signal })) {
    if (key === kept) continue;
    found = true;
    batch.push(key);
    if (batch.length === deleteBatch) await flush();
  }
  await flush();
  return found;
}

async function checkObjects(store: Store, folder: string, objects: readonly StoredObject[], signal: AbortSignal) {
  const stored = new Map<string, number>();
  for await (const { key, size } of store.list(`${folder}/`, { signal })) stored.set(key, size);
  for (const { path, size } of objects) {
    const found = stored.get(`${folder}/${path}`);
    if (found === size) continue;
    throw transient(
      'ObjectMissing',
      `${folder}/${path} in ${store.description} ${found === undefined ? 'is gone' : `has ${found} bytes instead of ${size}`} before the backup was complete. Check that nothing else deletes or writes under the repository's prefix, and start the backup again.`,
    );
  }
}

function toJson(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** started.json of a backup's folder; undefined where it is missing or nothing can be made of it. */
export async function readStarted(store: Store, path: string, signal: AbortSignal): Promise<Started | undefined> {
  try {
    const result = startedSchema.safeParse(parse(await store.get(`${path}/${startedName}`, { signal })));
    return result.success ? result.data : undefined;
  } catch (error) {
    if (error instanceof Failure && error.reason === 'NoSuchObject') return undefined;
    throw error;
  }
}
