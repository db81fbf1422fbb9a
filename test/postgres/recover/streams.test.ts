import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { createSetting, type Setting } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask } from '../physical/physical-setting.ts';
import { recover, startAndAsk } from './recovery.ts';
import { createSource, planFor, type Source, taskFor } from './source.ts';

let source: Source;
let setting: Setting;
let manifest: PhysicalManifest;
let end: string;
let dataDirectory: string;
let expected: string;

const rows = `SELECT (SELECT md5(string_agg(body, '' ORDER BY id)) FROM orders), (SELECT sum(id) FROM elsewhere)`;

/** The file of an object of the backup. */
const fileOf = (path: string) =>
  join(source.mountRoot, mounts.repository.volume(0), 'tidemark', planFor(manifest, end).backupPath, path);

beforeAll(async () => {
  source = await createSource();
  const { server } = source;
  dataDirectory = join(source.root, 'recovered');
  const place = join(dirname(server.dataFolder), 'elsewhere');
  await mkdir(place);
  await execa('chown', ['--reference', server.dataFolder, place]);
  await server.psql(
    "CREATE TABLE orders AS SELECT id, encode(sha256(id::text::bytea), 'base64') AS body FROM generate_series(1, 500000) id",
  );
  await server.psql(`CREATE TABLESPACE elsewhere LOCATION '${place}'`);
  await server.psql('CREATE TABLE elsewhere TABLESPACE elsewhere AS SELECT id FROM generate_series(1, 1000) id');
  setting = await createSetting(server);
  const folders = { ...setting.folders, mountRoot: source.mountRoot };
  const task = physicalTask(server, { compress: 'Server', walMethod: 'Fetch' });
  const { error, reporter } = await backUpPhysically({ ...setting, folders }, task);
  if (error !== undefined) throw error;
  ({ manifest } = await physicalManifestOf(source.store, reporter.status));
  await server.psql('INSERT INTO elsewhere VALUES (5000)');
  expected = await server.psql(rows);
  end = await source.ship();
}, 60_000);
afterAll(async () => {
  await setting?.remove();
  await source?.remove();
});
afterEach(async () => {
  if (dataDirectory !== undefined) await rm(dataDirectory, { recursive: true, force: true });
});

it('a backup that the server packed is recovered with every row, also of a tablespace', async () => {
  expect(manifest.physical.streams).toHaveLength(2);
  const found = await recover(source, taskFor(planFor(manifest, end), {}, dataDirectory));
  expect(found.failure, found.log + found.agentLog).toBeUndefined();
  expect(await startAndAsk(source, dataDirectory, rows)).toBe(expected);
});

describe('no server is made of a backup that the server packed', () => {
  const parts = () => {
    const data = manifest.physical.streams?.find(({ tablespace }) => tablespace === undefined);
    const [first, second, third] = (data?.parts ?? []).map(({ path }) => fileOf(path));
    if (first === undefined || second === undefined || third === undefined) throw new Error('too few parts');
    return { first, second, third };
  };
  let mend: () => Promise<void> = async () => undefined;
  afterEach(async () => {
    await mend();
    mend = async () => undefined;
  });

  const refusal = async () => {
    const found = await recover(source, taskFor(planFor(manifest, end), {}, dataDirectory));
    await expect(access(dataDirectory), 'the new directory is gone').rejects.toThrow();
    expect((await readdir(source.root)).filter((name) => name.startsWith('.'))).toEqual([]);
    return found.failure;
  };

  it('where a part is damaged', async () => {
    const { second } = parts();
    const content = await readFile(second);
    mend = () => writeFile(second, content);
    const damaged = Buffer.from(content);
    damaged[1000] = (damaged[1000] ?? 0) ^ 1;
    await writeFile(second, damaged);
    expect(await refusal()).toMatchObject({
      reason: 'CorruptedBackup',
      retryable: false,
      message: expect.stringContaining('data.tar.zst.000002'),
    });
  });

  it('where a part is missing', async () => {
    const { second } = parts();
    await rename(second, `${second}-away`);
    mend = () => rename(`${second}-away`, second);
    expect(await refusal()).toMatchObject({
      reason: 'CorruptedBackup',
      retryable: false,
      message: expect.stringContaining('is gone'),
    });
  });

  it('where two parts have changed places', async () => {
    const { first, second } = parts();
    const swap = async () => {
      await rename(first, `${first}-away`);
      await rename(second, first);
      await rename(`${first}-away`, second);
    };
    await swap();
    mend = swap;
    expect(await refusal()).toMatchObject({ reason: 'CorruptedBackup', retryable: false });
  });

  it.each([
    ['names the parts in another order', (parts: unknown[]) => parts.reverse()],
    ['lacks the last part', (parts: unknown[]) => parts.slice(0, -1)],
  ])('where the manifest %s', async (_, change) => {
    const file = fileOf('manifest.json');
    const content = await readFile(file, 'utf8');
    mend = () => writeFile(file, content);
    const changed = JSON.parse(content);
    for (const stream of changed.physical.streams) {
      if (stream.tablespace === undefined) stream.parts = change(stream.parts);
    }
    await writeFile(file, JSON.stringify(changed));
    expect(await refusal()).toMatchObject({ reason: 'CorruptedBackup', retryable: false });
  });
});
