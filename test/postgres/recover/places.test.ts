import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { recover, startAndAsk } from './recovery.ts';
import { createSource, ownedFolder, planFor, type Source, taskFor } from './source.ts';

let source: Source;
let manifest: PhysicalManifest;
let end: string;
let target: { readonly targetName: string };

beforeAll(async () => {
  source = await createSource();
  const location = await ownedFolder(join(source.root, 'elsewhere'), source.account);
  await source.server.psql(
    `CREATE TABLESPACE elsewhere LOCATION '${location}'; CREATE TABLE status (said text) TABLESPACE elsewhere; INSERT INTO status VALUES ('new')`,
  );
  manifest = await source.backUp();
  await source.server.psql(
    "UPDATE status SET said = 'good'; SELECT pg_create_restore_point('good'); UPDATE status SET said = 'bad'",
  );
  target = { targetName: 'good' };
  end = await source.ship();
}, 60_000);
afterAll(() => source?.remove());

const present = async (path: string, mountPoint = false) => {
  const folder = await ownedFolder(path, source.account);
  await writeFile(join(folder, 'PG_VERSION'), 'the old one');
  if (mountPoint) await mkdir(join(folder, 'lost+found'));
  await execa('chown', ['-R', `${source.account.uid}:${source.account.gid}`, folder]);
  return folder;
};
const inPlace = (dataDirectory: string, wanted: object = target) =>
  taskFor(planFor(manifest, end), wanted, dataDirectory, { place: { dataDirectory, oldDataDirectory: 'before' } });

describe('in place', () => {
  it('the old directory is kept beside the recovered one, whose tablespaces are its own', async () => {
    const dataDirectory = await present(join(source.root, 'kept', 'data'));
    await execa('chown', [`${source.account.uid}`, join(source.root, 'kept')]);
    const found = await recover(source, inPlace(dataDirectory));
    expect(found.failure, found.log).toBeUndefined();
    expect((await readdir(join(source.root, 'kept'))).sort()).toEqual(['before', 'data', 'data.tablespaces-11112222']);
    expect(await readdir(join(source.root, 'kept', 'before'))).toEqual(['PG_VERSION']);
    const asked = await startAndAsk(
      source,
      dataDirectory,
      "SELECT said, pg_tablespace_location(oid) FROM status, pg_tablespace WHERE spcname = 'elsewhere'",
    );
    expect(asked).toMatch(/^good\|.*\/kept\/data\.tablespaces-11112222\/\d+$/);
  });

  it('the old directory comes back where the recovery fails', async () => {
    const dataDirectory = await present(join(source.root, 'undone', 'data'));
    await execa('chown', [`${source.account.uid}`, join(source.root, 'undone')]);
    const found = await recover(source, inPlace(dataDirectory, { targetName: 'never' }));
    expect(found.failure).toMatchObject({ reason: 'TargetNotReached' });
    expect(found.failure?.message).toMatch(/the old one is back in its place\.$/);
    expect(await readdir(join(source.root, 'undone'))).toEqual(['data']);
    expect(await readdir(dataDirectory)).toEqual(['PG_VERSION']);
  });

  it('a directory that is a mount point keeps its content in a folder, and gets it back', async () => {
    const dataDirectory = await present(join(source.root, 'mounted'), true);
    const mountPoints = [dataDirectory];
    const failed = await recover(source, inPlace(dataDirectory, { targetName: 'never' }), { mountPoints });
    expect(failed.failure).toMatchObject({ reason: 'TargetNotReached' });
    expect((await readdir(dataDirectory)).sort()).toEqual(['PG_VERSION', 'lost+found']);
    const found = await recover(source, inPlace(dataDirectory), { mountPoints });
    expect(found.failure, found.log).toBeUndefined();
    expect(await readdir(join(dataDirectory, 'before'))).toEqual(['PG_VERSION']);
    expect(await readdir(dataDirectory)).not.toContain('.tidemark-recovery.json');
    expect(await startAndAsk(source, dataDirectory, 'SELECT said FROM status')).toBe('good');
  });
});

describe('elsewhere', () => {
  it('a folder that the server has mounted as its data directory holds the tablespaces too', async () => {
    const volume = await ownedFolder(join(source.root, 'volume'), source.account);
    const place = { dataDirectory: join(volume, 'pgdata'), servedDirectory: volume };
    const found = await recover(source, taskFor(planFor(manifest, end), target, place.dataDirectory, { place }));
    expect(found.failure, found.log).toBeUndefined();
    expect(await readdir(volume)).toEqual(['pgdata']);
    // As the mount of the folder shows it.
    await rename(volume, `${volume}-root`);
    await rename(join(`${volume}-root`, 'pgdata'), volume);
    const asked = await startAndAsk(
      source,
      volume,
      "SELECT said, pg_tablespace_location(oid) FROM status, pg_tablespace WHERE spcname = 'elsewhere'",
    );
    expect(asked).toMatch(/^good\|.*\/volume\/tablespaces-11112222\/\d+$/);
  });

  it('a directory that holds anything is refused, and stays', async () => {
    const dataDirectory = await present(join(source.root, 'occupied', 'data'));
    await execa('chown', [`${source.account.uid}`, join(source.root, 'occupied')]);
    const found = await recover(source, taskFor(planFor(manifest, end), target, dataDirectory));
    expect(found.failure).toMatchObject({ reason: 'DataDirectoryNotEmpty' });
    expect(await readdir(dataDirectory)).toEqual(['PG_VERSION']);
  });
});
