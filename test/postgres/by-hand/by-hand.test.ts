import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { backUp, backupTask, volumeRepository } from '../backup/setting.ts';
import { generateKeys, identitySecret, type KeyPair } from '../encryption/setting.ts';
import { createWorld, type Made, type World } from '../incremental/world.ts';
import { ownedFolder } from '../recover/source.ts';

let world: World;
let keys: KeyPair;
let page: string;
let folder: string;

const question = 'SELECT count(*), md5(string_agg(id || body, $$$$ ORDER BY id)) FROM orders';
const elsewhere = 'SELECT count(*), sum(id) FROM elsewhere';

beforeAll(async () => {
  page = await readFile('docs/restore-by-hand.md', 'utf8');
  world = await createWorld(17);
  keys = await generateKeys();
  const { account, root } = world.source;
  folder = await ownedFolder(await mkdtemp(join(root, 'by-hand-')), account);
  await writeFile(join(folder, 'key.txt'), keys.identity, { mode: 0o644 });
});
afterAll(async () => {
  await world?.remove();
});

const encrypted = (): RepositoryTask => ({
  name: volumeRepository.name,
  spec: {
    ...volumeRepository.spec,
    encryption: { age: { recipients: [keys.recipient], identitySecretRef: identitySecret } },
  },
});

/** The commands of a chapter, as they stand on the page. */
function commandsOf(chapter: string): readonly string[] {
  const [, text = ''] = new RegExp(`^## ${chapter}\\n(.*?)(?=^## |$(?![^]))`, 'ms').exec(page) ?? [];
  return [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, commands = '']) => commands);
}

const begin = () => commandsOf('Before you begin')[0] ?? 'exit 1';

/** Runs what a person would, in a folder of their own, under the account that the server runs under. */
async function follow(
  name: string,
  blocks: readonly string[],
  given: Readonly<Record<string, string>>,
): Promise<string> {
  const { account, server, mountRoot, systemIdentifier } = world.source;
  const work = await ownedFolder(join(folder, name), account);
  const env = {
    PATH: `${server.bin}:/usr/bin:/bin`,
    REPOSITORY: join(mountRoot, mounts.repository.volume(0), 'tidemark'),
    SERVER: `shop/orders/${systemIdentifier}`,
    KEY: join(folder, 'key.txt'),
    DATA: join(work, 'data'),
    OPTIONS: `-c port=5432 -c listen_addresses= -c unix_socket_directories=${work}`,
    ...given,
  };
  expect(blocks.length).toBeGreaterThan(1);
  const script = [begin(), ...blocks].join('\n');
  const as = { uid: account.uid, gid: account.gid, cwd: work, env, extendEnv: false };
  return (await execa('sh', ['-c', script], as)).stdout;
}

/** Asks the server that was started, and stops it. */
async function ask(name: string, ...questions: readonly string[]): Promise<readonly string[]> {
  const { account, server } = world.source;
  const work = join(folder, name);
  const env = { PGHOST: work, PGPORT: '5432', PGUSER: server.superuser, PGPASSWORD: server.password };
  const psql = async (sql: string) => {
    const { stdout } = await execa(join(server.bin, 'psql'), ['-XqAt', '-d', 'postgres', '-c', sql], { env });
    return stdout;
  };
  try {
    await vi.waitFor(async () => expect(await psql('SELECT pg_is_in_recovery()')).toBe('f'), { timeout: 120_000 });
    const answers: string[] = [];
    for (const each of questions) answers.push(await psql(each));
    return answers;
  } finally {
    const as = { uid: account.uid, gid: account.gid, cwd: work };
    await execa(join(server.bin, 'pg_ctl'), ['-D', join(work, 'data'), '-m', 'fast', '-w', 'stop'], as);
    await rm(work, { recursive: true });
  }
}

const now = async () => [await world.source.server.psql(question), await world.source.server.psql(elsewhere)];
const baseBackup = () => commandsOf('A base backup');
const functions = () => baseBackup().slice(0, 1);

it('the backups are found', async () => {
  const made = await world.backUp('Full');
  const listed = await follow('find', [...commandsOf('Find'), ''], {});
  expect(listed).toContain(`${made.manifest.backupID}/manifest.json`);
});

describe.each(['Custom', 'Directory', 'Plain', 'Tar'])('a dump of format %s', (format) => {
  it('is restored', async () => {
    const { source, setting } = world;
    const { server } = source;
    await server.psql('DROP DATABASE IF EXISTS shop');
    await server.psql('CREATE DATABASE shop');
    await server.psql(
      "CREATE TABLE orders AS SELECT id, 'order ' || id AS body FROM generate_series(1, 500) id",
      'shop',
    );
    const expected = await server.psql(question, 'shop');
    const logical = { format, databases: { include: ['shop'] } };
    const { reporter } = await backUp(setting, backupTask(server, { repositories: [encrypted()], logical }));
    await execa('chown', ['-R', `${source.account.uid}:${source.account.gid}`, source.mountRoot]);
    await server.psql('DROP DATABASE shop');
    const client = {
      PGHOST: server.host,
      PGPORT: `${server.port}`,
      PGUSER: server.superuser,
      PGPASSWORD: server.password,
    };
    const given = { ...client, BACKUP: String(reporter.status.backupID), DATABASE: 'shop' };
    await follow(format, commandsOf('A dump'), given);
    expect(await server.psql(question, 'shop')).toBe(expected);
  });
});

it.each([
  ['in chunks, with the WAL that it streamed', { walMethod: 'Stream' }, false],
  ['in streams that the server packed', { walMethod: 'Fetch', compress: 'Server' }, false],
  ['in chunks that are encrypted', { walMethod: 'Fetch' }, true],
  ['in streams that are encrypted', { walMethod: 'Stream', compress: 'Server' }, true],
])('a base backup %s is restored with its tablespace', async (_, physical, isEncrypted) => {
  const expected = await now();
  const { manifest } = await world.backUp('Full', { physical, ...(isEncrypted ? { repository: encrypted() } : {}) });
  await world.source.server.psql('DELETE FROM elsewhere WHERE id % 2 = 0');
  await follow('base', [...baseBackup(), ...commandsOf('Start')], { BACKUP: manifest.backupID });
  expect(await ask('base', question, elsewhere)).toEqual(expected);
});

describe('an increment', () => {
  let made: Made;
  let expected: readonly string[];

  it.each([
    ['as it is stored', false],
    ['that is encrypted', true],
  ])('%s is restored with all that it stands on, and its tablespace', async (_, isEncrypted) => {
    const repository = isEncrypted ? { repository: encrypted() } : {};
    await world.backUp('Full', repository);
    await world.write();
    await world.backUp('Incremental', { ...repository, physical: { compress: 'Server' } });
    await world.write();
    expected = await now();
    made = await world.backUp('Incremental', repository);
    await world.write();
    const blocks = [...functions(), ...commandsOf('An increment'), ...commandsOf('Start')];
    await follow('increment', blocks, { BACKUP: made.manifest.backupID });
    expect(await ask('increment', question, elsewhere)).toEqual(expected);
  });

  it('is not restored on a parent that was changed', async () => {
    const { parentBackupID = '' } = made.manifest;
    const file = world.fileOf(`${made.path.replace(made.manifest.backupID, parentBackupID)}/manifest.json`);
    const content = await readFile(file);
    await writeFile(file, Buffer.concat([content, Buffer.from('\n')]));
    try {
      const blocks = [...functions(), ...commandsOf('An increment')];
      await expect(follow('changed', blocks, { BACKUP: made.manifest.backupID })).rejects.toThrow(/manifest\.json/);
    } finally {
      await writeFile(file, content);
    }
  });

  it('is followed by archived WAL to one moment', async () => {
    const { source } = world;
    await source.ship();
    await source.server.psql('INSERT INTO elsewhere VALUES (1000001)');
    const before = await now();
    const target = await source.server.psql('SELECT clock_timestamp()');
    await source.server.psql('DELETE FROM elsewhere');
    await source.ship();
    const blocks = [...functions(), ...commandsOf('An increment'), ...commandsOf('One moment'), ...commandsOf('Start')];
    await follow('moment', blocks, { BACKUP: made.manifest.backupID, TARGET: target });
    expect(await ask('moment', question, elsewhere)).toEqual(before);
  });
});

it('no command of the page is left out of what was followed', () => {
  const chapters = ['Before you begin', 'Find', 'A dump', 'A base backup', 'An increment', 'One moment', 'Start'];
  const followed = chapters.flatMap((chapter) => commandsOf(chapter));
  expect(followed).toEqual([...page.matchAll(/```sh\n(.*?)```/gs)].map(([, commands]) => commands));
});
