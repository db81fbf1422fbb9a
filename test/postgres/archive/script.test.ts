import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { installScript } from '../../../src/agent/archive/script.ts';
import { ensureDebianPackages } from '../../support/cluster/packages.ts';
import { exists, makeSetting, type Setting, until } from '../../support/wal/sidecar.ts';

const first = '000000010000000000000001';
const control = Buffer.from('12345678');

let setting: Setting;
let data: string;

beforeAll(() => ensureDebianPackages(['busybox', 'dash'], (line) => process.stdout.write(`${line}\n`)));

beforeEach(async () => {
  setting = await makeSetting();
  await installScript(setting.spool);
  for (const folder of ['incoming', 'done', 'failed']) await mkdir(join(setting.spool, folder));
  data = join(setting.root, 'data dir');
  await mkdir(join(data, 'pg_wal/archive_status'), { recursive: true });
  await mkdir(join(data, 'global'));
  await writeFile(join(data, 'global/pg_control'), Buffer.concat([control, Buffer.alloc(8184, 1)]));
});

afterEach(() => setting.remove());

const inSpool = (folder: string, name: string) => join(setting.spool, folder, name);

/** Whole at once, as the sidecar does it: the script may look at any moment. */
async function mark(folder: 'done' | 'failed', name: string, content: string | Buffer): Promise<void> {
  const temporary = join(setting.spool, `.${folder}-${name}`);
  await writeFile(temporary, content);
  await rename(temporary, inSpool(folder, name));
}

async function ready(name: string, content = name): Promise<void> {
  await writeFile(join(data, 'pg_wal', name), content);
  await writeFile(join(data, 'pg_wal/archive_status', `${name}.ready`), '');
}

function segment(index: number): string {
  return `0000000100000000000000${index.toString(16).toUpperCase().padStart(2, '0')}`;
}

// With the applets of busybox alone, as in an image of Alpine.
describe.each([
  ['dash', ['dash']],
  ['busybox', ['busybox', 'sh']],
])('with %s', (kind, shell) => {
  const run = (name: string, path = `pg_wal/${name}`) => {
    const [command = '', ...args] = shell;
    const env = kind === 'busybox' ? { PATH: join(setting.root, 'bin') } : {};
    return execa(
      kind === 'busybox' ? '/bin/busybox' : command,
      [...args, join(setting.spool, 'archive.sh'), path, name],
      {
        cwd: data,
        reject: false,
        env,
      },
    );
  };

  beforeEach(async () => {
    if (kind !== 'busybox') return;
    await mkdir(join(setting.root, 'bin'));
    await execa('/bin/busybox', ['--install', '-s', join(setting.root, 'bin')]);
  });

  test('it brings the file, and succeeds when it is done', async () => {
    await ready(first, 'content');
    const running = run(first);
    await until('it is brought', () => exists(inSpool('incoming', first)));
    expect(await readFile(inSpool('incoming', first), 'utf8')).toBe('content');
    await mark('done', first, control);
    await rm(inSpool('incoming', first));
    expect(await running).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await readdir(join(setting.spool, 'done'))).toEqual([]);
    expect(await readdir(join(setting.spool, 'incoming'))).toEqual(['.system']);
    expect(await readFile(inSpool('incoming', '.system'))).toEqual(control);
  });

  test('it says why a file is refused, and fails below 126', async () => {
    await ready(first);
    await mark('failed', first, 'of the time before');
    const running = run(first);
    await until('it is brought', () => exists(inSpool('incoming', first)));
    await rm(inSpool('incoming', first));
    await mark('failed', first, 'because; it "is" $so\n');
    const { exitCode, stderr } = await running;
    expect(exitCode).toBe(1);
    expect(stderr).toContain('because; it "is" $so');
    expect(await exists(inSpool('failed', first))).toBe(false);
  });

  test('it does not believe what was said of another server’s file', async () => {
    await ready(first);
    await mark('done', first, 'ANOTHER!');
    const running = run(first);
    await until('it is brought', () => exists(inSpool('incoming', first)));
    await mark('done', first, control);
    expect((await running).exitCode).toBe(0);
  });

  test('it brings a file again that is neither waiting nor answered', async () => {
    await ready(first);
    const running = run(first);
    await until('it is brought', () => exists(inSpool('incoming', first)));
    await rm(inSpool('incoming', first));
    await until('it is brought again', () => exists(inSpool('incoming', first)));
    await mark('done', first, control);
    expect((await running).exitCode).toBe(0);
  });

  test('it brings what follows, up to the limit, but nothing past a history and nothing refused', async () => {
    for (let index = 1; index <= 9; index += 1) await ready(segment(index));
    await ready('00000002.history');
    await ready('000000020000000000000009');
    await mark('failed', segment(3), 'refused');
    await mark('done', segment(4), control);
    await rm(join(data, 'pg_wal', segment(5)));
    await writeFile(join(setting.spool, 'ahead'), '5\n');
    const running = run(first);
    await until('five wait', async () => (await waiting()).length === 5);
    await mark('done', first, control);
    expect((await running).exitCode).toBe(0);
    expect(await waiting()).toEqual([1, 2, 6, 7, 8].map(segment));
  });

  test('a history is brought alone', async () => {
    await ready('00000002.history');
    await ready('000000020000000000000009');
    const running = run('00000002.history');
    await until('it is brought', async () => (await waiting()).length > 0);
    await mark('done', '00000002.history', control);
    expect((await running).exitCode).toBe(0);
    expect(await waiting()).toEqual(['00000002.history']);
  });

  test.each([
    ['a file that is not there', first, 'cannot copy'],
    ['a path for a name', '../x', 'no name of a WAL file'],
    ['no name', '', 'no name of a WAL file'],
  ])('it fails at once for %s', async (_, name, why) => {
    const { exitCode, stderr } = await run(name);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(why);
  });

  test('it fails at once where the spool is not set up', async () => {
    await ready(first);
    await rm(join(setting.spool, 'incoming'), { recursive: true });
    expect(await run(first)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('not set up') });
  });
});

async function waiting(): Promise<readonly string[]> {
  return (await readdir(join(setting.spool, 'incoming'))).filter((name) => !name.startsWith('.')).sort();
}

test('without an answer it gives up, and the file waits on', async () => {
  await installScript(setting.spool, 2);
  await ready(first);
  const { exitCode, stderr } = await execa('dash', [join(setting.spool, 'archive.sh'), `pg_wal/${first}`, first], {
    cwd: data,
    reject: false,
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('has not been stored within 2 s');
  expect(await waiting()).toEqual([first]);
});
