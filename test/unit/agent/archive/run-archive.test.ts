import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultTimings } from '../../../../src/agent/archive/dispatch.ts';
import { mounts } from '../../../../src/domain/mounts.ts';
import type { ArchiveTask } from '../../../../src/domain/task.ts';
import { testSystem, writeSegment } from '../../../support/wal/segment.ts';
import {
  archivedFiles,
  archiveTask,
  bring,
  exists,
  makeSetting,
  type Setting,
  type Sidecar,
  startSidecar,
  until,
  volumeRepository,
} from '../../../support/wal/sidecar.ts';

const first = '000000010000000000000001';
const second = '000000010000000000000002';
const quick = { ...defaultTimings, look: 20, tell: 300, grace: 2000 };

let setting: Setting;
const started: Sidecar[] = [];

beforeEach(async () => {
  setting = await makeSetting();
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((sidecar) => sidecar.stop()));
  await setting.remove();
});

async function start(task: Partial<ArchiveTask> = {}): Promise<Sidecar> {
  const sidecar = startSidecar(setting, archiveTask(task), quick);
  started.push(sidecar);
  await until('the script is there', () => exists(join(setting.spool, 'archive.sh')));
  return sidecar;
}

const inSpool = (folder: string, name: string) => join(setting.spool, folder, name);

const put = (name: string, content: Buffer | string = writeSegment({ name }).content) => bring(setting, name, content);

async function putControl(systemIdentifier = testSystem): Promise<void> {
  const control = Buffer.alloc(8);
  control.writeBigUInt64LE(systemIdentifier);
  await mkdir(join(setting.spool, 'incoming'), { recursive: true });
  await writeFile(inSpool('incoming', '.system'), control);
}

async function done(name: string): Promise<void> {
  await until(`${name} is done`, () => exists(inSpool('done', name)));
}

/** What ends it; before that it may be told, on a slow machine, that it takes longer. */
async function lastRefusal(name: string): Promise<string> {
  const read = () => readFile(inSpool('failed', name), 'utf8').catch(() => 'is tried again');
  await until(`${name} is refused`, async () => !(await read()).includes('is tried again'));
  return read();
}

/** That it is told with these words, which may be the second thing that is told. */
async function refusal(name: string, words = ''): Promise<void> {
  const told = () => readFile(inSpool('failed', name), 'utf8').catch(() => undefined);
  await until(`${name} is refused: ${words}`, async () => (await told())?.includes(words) === true);
}

describe('a file of the server', () => {
  test('is done when it is stored, and its copy is gone', async () => {
    await start();
    const { content } = writeSegment({ name: first });
    await put(first, content);
    await done(first);
    expect((await archivedFiles(setting.volume)).get(first)?.equals(content)).toBe(true);
    await until('the copy is gone', async () => !(await exists(inSpool('incoming', first))));
    const marker = await readFile(inSpool('done', first));
    expect(marker.readBigUInt64LE(0)).toBe(testSystem);
  });

  test('is done again where the same is archived already', async () => {
    await start();
    await put(first);
    await done(first);
    await rm(inSpool('done', first));
    await put(first);
    await done(first);
  });

  test('that waited before the start is taken, whatever markers are left', async () => {
    await put(first);
    await put(second);
    await mkdir(join(setting.spool, 'done'), { recursive: true });
    await writeFile(inSpool('done', first), '');
    await writeFile(inSpool('incoming', '.half.tmp'), 'half');
    await start();
    await done(second);
    await until('both are stored', async () => (await archivedFiles(setting.volume)).size === 2);
    expect(await exists(inSpool('incoming', '.half.tmp'))).toBe(true);
  });

  test('of every kind lies under its own name', async () => {
    await putControl();
    await start({ systemIdentifier: String(testSystem) });
    const names = [first, `${second}.partial`, `${first}.00000028.backup`, '00000002.history'];
    await put(first);
    await put(`${second}.partial`);
    await put(`${first}.00000028.backup`, 'START WAL LOCATION: 0/1000028\n');
    await put('00000002.history', '1\t0/1F00000\tno recovery target specified\n');
    for (const name of names) await done(name);
    const archived = await archivedFiles(setting.volume);
    expect([...archived.keys()].sort()).toEqual([...names].sort());
    const history = join(setting.volume, 'shop/orders', String(testSystem), 'wal/history/00000002.history');
    expect(await readFile(history, 'utf8')).toContain('0/1F00000');
  });
});

describe('what cannot be WAL of this server', () => {
  const other = writeSegment({ name: first, systemIdentifier: 5n }).content;
  const cases: readonly (readonly [string, string, Buffer | string, string])[] = [
    ['another server’s segment', first, other, 'system identifier 5'],
    ['an empty file', first, '', 'has 0 bytes'],
    ['half a segment', first, writeSegment({ name: first }).content.subarray(0, 4096), 'has 4096 bytes'],
    ['a recycled file', first, writeSegment({ name: second }).content, 'another place'],
    ['zeros', first, Buffer.alloc(1024 ** 2), 'does not begin like WAL'],
    ['a name that is none', 'postgresql.conf', 'x', 'no name of a WAL file'],
    ['a history that is none', '00000002.history', 'nonsense', 'not a timeline history file'],
    ['a history that is empty', '00000002.history', '', 'has 0 bytes'],
  ];
  test.each(cases)('%s is refused in words, and not archived', async (_, name, content, why) => {
    await putControl();
    const sidecar = await start({ systemIdentifier: String(testSystem) });
    await put(name, content);
    expect(await lastRefusal(name)).toContain(why);
    expect(await exists(inSpool('incoming', name))).toBe(false);
    expect((await archivedFiles(setting.volume)).size).toBe(0);
    expect(sidecar.said.filter(({ level }) => level === 'error')).toHaveLength(1);
    await put(second);
    await done(second);
  });

  test('a link out of the spool is not followed', async () => {
    const secret = join(setting.root, 'secret');
    await writeFile(secret, '1\t0/1F00000\tsecret\n');
    await putControl();
    await start();
    await symlink(secret, inSpool('incoming', '00000002.history'));
    expect(await lastRefusal('00000002.history')).toContain('has 0 bytes');
    expect(await readFile(secret, 'utf8')).toContain('secret');
  });

  test('other content under an archived name leaves the archive as it is', async () => {
    await start();
    await put(first);
    await done(first);
    const before = await archivedFiles(setting.volume);
    await put(first, writeSegment({ name: first, rest: Buffer.alloc(1024 ** 2, 1) }).content);
    expect(await lastRefusal(first)).toContain('holds other WAL');
    expect(await archivedFiles(setting.volume)).toEqual(before);
  });
});

describe('timelines', () => {
  test('an old primary is refused from the fork on, and only from there', async () => {
    await putControl();
    await start();
    await put('00000002.history', '1\t0/2F00000\tno recovery target specified\n');
    await done('00000002.history');
    const inForked = '00000001000000000000002F';
    for (const name of ['00000001000000000000002E', '00000002000000000000002F']) {
      await put(name);
      await done(name);
    }
    await put(inForked);
    expect(await lastRefusal(inForked)).toMatch(/0\/2F00000.*timeline 2.*standby/s);
    expect((await archivedFiles(setting.volume)).has(inForked)).toBe(false);
  });

  test('a history of the same timeline by another server does not replace the first', async () => {
    await putControl();
    await start();
    await put('00000002.history', '1\t0/2F00000\tone\n');
    await done('00000002.history');
    await put('00000002.history', '1\t0/3F00000\tother\n');
    expect(await lastRefusal('00000002.history')).toContain('holds other WAL');
  });

  test('segments wait until their history is stored', async () => {
    await put('000000020000000000000010');
    await put('00000002.history', '1\t0/F00000\tno recovery target specified\n');
    const sidecar = await start();
    await refusal('00000002.history', 'which server');
    expect((await archivedFiles(setting.volume)).size).toBe(0);
    await putControl();
    await done('000000020000000000000010');
    expect((await archivedFiles(setting.volume)).size).toBe(2);
    expect(sidecar.said.some(({ reason }) => reason === 'ServerUnknown')).toBe(true);
  });
});

describe('a store that fails', () => {
  test('is told to the server, and the file is stored when the store is back', async () => {
    const mount = setting.root + mounts.repository.volume(0);
    await rename(mount, `${mount}.away`);
    const sidecar = await start();
    await put(first);
    await refusal(first, 'is not mounted');
    await rename(`${mount}.away`, mount);
    await put(first);
    await done(first);
    expect((await archivedFiles(setting.volume)).size).toBe(1);
    expect(sidecar.said.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  test('keeps a file from being done until every repository has it', async () => {
    const other = { ...volumeRepository, name: 'other' };
    const mount = setting.root + mounts.repository.volume(1);
    await rename(mount, `${mount}.away`);
    await start({ repositories: [volumeRepository, other] });
    await put(first);
    await refusal(first);
    expect(await exists(inSpool('done', first))).toBe(false);
    expect((await archivedFiles(setting.volume)).size).toBe(1);
    await rename(`${mount}.away`, mount);
    await put(first);
    await done(first);
    expect((await archivedFiles(`${mount}/backups`)).size).toBe(1);
  });

  test('whose Secret is missing keeps no server from starting', async () => {
    const spec = {
      ...volumeRepository.spec,
      volume: undefined,
      s3: { bucket: 'bucket', region: 'us-east-1', credentialsSecretRef: { name: 'gone' } },
    };
    await start({ repositories: [{ name: 's3', spec: spec as typeof volumeRepository.spec }] });
    await put(first);
    await refusal(first, 'gone');
  });
});

test('the spool is open to the server’s account, and large segments make the look-ahead short', async () => {
  await start();
  for (const folder of ['incoming', 'done', 'failed'])
    expect((await stat(join(setting.spool, folder))).mode & 0o1777).toBe(0o777);
  await put(first, writeSegment({ name: first, segmentSize: 64 * 1024 ** 2 }).content);
  await done(first);
  await until('the limit is written', () => exists(join(setting.spool, 'ahead')), 5);
  expect(await readFile(join(setting.spool, 'ahead'), 'utf8')).toBe('16\n');
});

test('told to stop, it ends what runs and acknowledges nothing else', async () => {
  const names = Array.from(
    { length: 40 },
    (_, index) => `0000000100000000000000${(index + 16).toString(16).toUpperCase()}`,
  );
  for (const name of names) await put(name);
  const sidecar = await start();
  await until('some are done', async () => (await readdir(join(setting.spool, 'done'))).length > 0);
  await sidecar.stop();
  const archived = await archivedFiles(setting.volume);
  const marked = await readdir(join(setting.spool, 'done'));
  expect(marked.filter((name) => !archived.has(name))).toEqual([]);
  const waiting = (await readdir(join(setting.spool, 'incoming'))).filter((name) => !name.startsWith('.'));
  expect([...marked, ...waiting].sort()).toEqual(names);
});
