import { access, chmod, constants, lstat, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { terminal } from '../../../domain/failure.ts';
import { type Marker, readMarker, removeMarker, syncFolder, writeMarker } from './marker.ts';
import type { Place } from './place.ts';

/**
 * Makes the data directory's place empty, and gives nothing up: what is there is set aside under the name of `place.old`,
 * or refused. A try that was killed at any point is gone on with.
 */
export async function preparePlace(place: Place, recovery: string): Promise<void> {
  await requireFolder(place.isMountPoint ? place.dataDirectory : dirname(place.dataDirectory));
  await discard(place);
  let marker = await readMarker(place.marker);
  if (marker !== undefined && (marker.recovery !== recovery || marker.state === 'PuttingBack')) {
    // An earlier one that nobody could end any more. What was there before it comes back first.
    if (marker.recovery !== recovery && place.old === undefined) throw occupied(place);
    await undo(placeWith(place, marker), marker);
    marker = undefined;
  }
  if (marker?.state === 'Laying') await removeUnfinished(placeWith(place, marker), marker);
  else await setAside(place, recovery, marker);
  await mkdir(place.dataDirectory, { mode: 0o700, recursive: true });
  await makePrivate(place.dataDirectory);
}

/** After a failure: the unfinished new directory goes, the old one comes back. Gives a sentence for the message. */
export async function putBack(place: Place): Promise<string> {
  const marker = await readMarker(place.marker);
  if (marker === undefined) return 'Nothing was changed in the data directory.';
  await undo(placeWith(place, marker), marker);
  return marker.old === undefined
    ? 'What was laid of the new data directory was removed.'
    : 'What was laid of the new data directory was removed, and the old one is back in its place.';
}

/**
 * The recovery is complete: from here on nothing is put back. Without `keepOld` what was set aside goes too, and a failure
 * to remove it is thrown, but changes nothing of what was recovered.
 */
export async function finishPlace(place: Place, { keepOld }: { readonly keepOld: boolean }): Promise<void> {
  const marker = await readMarker(place.marker);
  await removeBridge(place, marker?.recovery);
  await removeMarker(place.marker);
  if (keepOld || marker?.old === undefined) return;
  await rename(marker.old, place.discarded);
  await discard(place);
}

async function setAside(place: Place, recovery: string, marker: Marker | undefined): Promise<void> {
  const { dataDirectory } = place;
  const old = marker?.old ?? place.old;
  const present = await contentOf(place);
  if (marker === undefined) {
    if (present.length > 0 && old === undefined) throw occupied(place);
    if (present.length === 0) {
      await writeMarker(place.marker, { recovery, state: 'Laying' });
      return;
    }
    if (old !== undefined && (await exists(old))) throw oldExists(old);
  }
  if (old === undefined) throw occupied(place);
  await writeMarker(place.marker, { recovery, state: 'SettingAside', old });
  if (place.isMountPoint) {
    await mkdir(old, { mode: 0o700, recursive: true });
    await moveAll(dataDirectory, old, present);
  } else if (!(await exists(old))) {
    await rename(dataDirectory, old);
    await syncFolder(dirname(dataDirectory));
  } else if (present.length > 0) {
    throw oldExists(old);
  }
  await writeMarker(place.marker, { recovery, state: 'Laying', old });
}

async function undo(place: Place, marker: Marker): Promise<void> {
  const { dataDirectory, old } = place;
  if (marker.state === 'Laying') {
    await removeUnfinished(place, marker);
    if (old !== undefined) await writeMarker(place.marker, { ...marker, state: 'PuttingBack' });
  }
  if (old !== undefined && (await exists(old))) {
    if (place.isMountPoint) {
      await moveAll(old, dataDirectory, await readdir(old));
      await rmdir(old);
    } else {
      if ((await contentOf(place)).length > 0) throw oldExists(old);
      await rename(old, dataDirectory);
      await syncFolder(dirname(dataDirectory));
    }
  }
  await removeMarker(place.marker);
  await discard(place);
}

/** Only ever called in state Laying: then nothing in the data directory is anybody's. */
async function removeUnfinished(place: Place, marker: Marker): Promise<void> {
  const { dataDirectory, old } = place;
  if (old !== undefined && !(await exists(old))) {
    throw terminal(
      'PlaceUnclear',
      `${place.marker} says that the earlier data directory was set aside as ${old}, and it is not there. Nothing was touched: ${dataDirectory} may be the only copy. Look at both; when you know which one is good, put it at ${dataDirectory} and remove ${place.marker}.`,
    );
  }
  await discard(place);
  await removeBridge(place, marker.recovery);
  if (place.isMountPoint) {
    for (const name of await contentOf(place)) await rm(join(dataDirectory, name), { recursive: true, force: true });
    return;
  }
  await rm(tablespacesOf(place, marker.recovery).folder, { recursive: true, force: true });
  if (!(await exists(dataDirectory))) return;
  await rename(dataDirectory, place.discarded);
  if (old === undefined) await discard(place);
}

export interface Tablespaces {
  readonly folder: string;
  /** The same by the path that the server has afterwards, since the links to tablespaces are absolute. */
  readonly served: string;
}

/** Of this recovery alone: an older one's may be in use by the directory that is set aside. */
export function tablespacesOf(place: Place, recovery: string): Tablespaces {
  const { dataDirectory, servedDirectory, isMountPoint } = place;
  const name = `tablespaces-${recovery.slice(0, 8)}`;
  // Where the server's mount is the data directory itself, it sees nothing beside it.
  if (!isMountPoint && servedDirectory === dataDirectory) {
    const folder = `${dataDirectory}.${name}`;
    return { folder, served: folder };
  }
  return { folder: join(dataDirectory, name), served: join(servedDirectory, name) };
}

/** What made the server's path hold here too. */
async function removeBridge(place: Place, recovery: string | undefined): Promise<void> {
  if (recovery === undefined) return;
  const { folder, served } = tablespacesOf(place, recovery);
  if (served !== folder) await rm(served, { force: true });
}

async function discard({ discarded, staging }: Place): Promise<void> {
  for (const path of [discarded, staging]) await rm(path, { recursive: true, force: true });
}

async function moveAll(from: string, to: string, names: readonly string[]): Promise<void> {
  for (const name of names) await rename(join(from, name), join(to, name));
  await syncFolder(from);
  await syncFolder(to);
}

/** What is in the data directory; nothing where there is none. */
async function contentOf({ dataDirectory, foreign }: Place): Promise<readonly string[]> {
  const names = await readdir(dataDirectory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => !foreign.includes(name));
}

/** The name that the marker has, whatever this task calls it. */
function placeWith(place: Place, { old }: Marker): Place {
  const foreign = place.isMountPoint && old !== undefined ? [...place.foreign, basename(old)] : place.foreign;
  return { ...place, old, foreign };
}

async function requireFolder(folder: string): Promise<void> {
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw terminal(
      'PlaceNotWritable',
      `Cannot write in ${folder}, where the data directory is to be (running as user ${process.getuid?.()}): ${cause instanceof Error ? cause.message : String(cause)}. The volume must be mounted there and belong to the account that the source's server runs under.`,
      cause,
    );
  }
}

/** PostgreSQL starts in no other folder than one of its own account, closed to others. */
async function makePrivate(dataDirectory: string): Promise<void> {
  try {
    await chmod(dataDirectory, 0o700);
  } catch (cause) {
    throw terminal(
      'PlaceNotWritable',
      `${dataDirectory} is the root of a volume and belongs to another account, so that PostgreSQL would not start in it. Let the data directory be a folder within the volume (PGDATA), as the image's documentation says.`,
      cause,
    );
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

function occupied({ dataDirectory }: Place) {
  return terminal(
    'DataDirectoryNotEmpty',
    `${dataDirectory} is not empty, and nothing in it was touched. Recover into a new instance with another name, or use target.inPlace, which keeps the directory that is there.`,
  );
}

function oldExists(old: string) {
  return terminal(
    'OldDataDirectoryExists',
    `The present data directory would be kept as ${old}, and that is there already, from an earlier recovery. Nothing was touched. Move it away or remove it, and create a new PitrRecovery.`,
  );
}
