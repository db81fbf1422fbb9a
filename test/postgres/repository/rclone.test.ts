import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { usualTimings } from '../../../src/repository/attempts.ts';
import { rcloneStore } from '../../../src/repository/rclone.ts';
import type { Store } from '../../../src/repository/store.ts';
import { freePort } from '../../support/s3/server.ts';
import { openSftp, type SftpServer, startSftpServer } from '../../support/sftp/server.ts';

const { signal } = new AbortController();
const options = { signal };
const short = { ...usualTimings, idle: 30_000, outage: 1000 };
let server: SftpServer;
beforeAll(async () => {
  server = await startSftpServer();
});
afterAll(() => server.stop());

const stores: Store[] = [];
afterEach(async () => {
  for (const each of stores.splice(0)) await each.close();
});
function open(remote = `offsite:${server.folder}/b`, { config = server.config, knownHosts = server.knownHosts } = {}) {
  const store = openSftp({ config, knownHosts }, remote, short);
  stores.push(store);
  return store;
}
const put = (store: Store, key: string) => store.put(key, Buffer.from('x'), { ifAbsent: true, signal });
const children = async () => {
  const found: string[] = [];
  for (const thread of await readdir('/proc/self/task')) {
    for (const pid of (await readFile(`/proc/self/task/${thread}/children`, 'utf8')).split(' ').filter(Boolean)) {
      const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
      if (/rclone rcd/.test(args)) found.push(`${pid} ${args}`);
    }
  }
  return found;
};
const workFolders = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('tidemark-rclone-'));

test('one process serves many calls, shows no secret among its arguments, and is gone with its store', async () => {
  const before = await workFolders();
  const store = open();
  expect(await children()).toEqual([]);
  await Promise.all(['a', 'b', 'c'].map((key) => put(store, `one/${key}`)));
  const processes = await children();
  expect(processes).toHaveLength(1);
  expect(processes[0]?.replace('--ask-password=false', '')).not.toMatch(/pass|key_pem/i);
  const [folder = ''] = (await workFolders()).filter((name) => !before.includes(name));
  const config = join(tmpdir(), folder, 'rclone.conf');
  expect((await stat(config)).mode & 0o777).toBe(0o600);
  expect(await readFile(config, 'utf8')).toContain('key_pem');
  await store.close();
  expect(await children()).toEqual([]);
  expect(await workFolders()).toEqual(before);
});

test('a process that died is begun again', async () => {
  const store = open();
  await put(store, 'again/a');
  const [pid = ''] = (await children())[0]?.split(' ') ?? [];
  process.kill(Number(pid), 'SIGKILL');
  await put(store, 'again/b');
  expect((await readdir(join(server.folder, 'b/again'))).sort()).toEqual(['a', 'b']);
});

test.each<[string, () => Store, string, boolean, RegExp]>([
  [
    'a remote that the configuration has not',
    () => open('elsewhere:b'),
    'WrongConfiguration',
    false,
    /the Secret store has no section \[elsewhere\]/,
  ],
  [
    'a type that nobody knows',
    () => open('offsite:b', { config: '[offsite]\ntype = carrier-pigeon\n' }),
    'WrongConfiguration',
    false,
    /the Secret store is not to be used/,
  ],
  [
    'a folder of the pod',
    () => open('offsite:/tmp/b', { config: '[offsite]\ntype = local\n' }),
    'WrongConfiguration',
    false,
    /lost with it/,
  ],
  [
    'another key of the host',
    () => open('offsite:b', { knownHosts: server.knownHosts.replace(/.{12}$/, 'AAAAAAAAAAAA') }),
    'UntrustedHost',
    false,
    /known_hosts/,
  ],
  [
    'a login that is refused',
    () => open('offsite:b', { config: server.config.replace(/user = .*/, 'user = nobody-of-that-name') }),
    'WrongCredentials',
    false,
    /the login of the Secret store/,
  ],
  ...['key_file = ~/.ssh/id_ed25519', 'key_use_agent = true'].map(
    (line): [string, () => Store, string, boolean, RegExp] => [
      `a login by what only another computer has (${line})`,
      () => open('offsite:b', { config: server.config.replace(/key_pem = .*/, line) }),
      'WrongConfiguration',
      false,
      /pod does not have .*key_pem/,
    ],
  ),
])('%s is told with what to do', async (_, opened, reason, retryable, words) => {
  const failure = await opened()
    .head('a', options)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ reason, retryable, message: expect.stringMatching(words) });
  expect(JSON.stringify(failure) + String(failure)).not.toContain('PRIVATE KEY');
});

test('a repository that cannot be reached for want of a file of the pod is not taken for an empty one', async () => {
  const config = server.config.replace(/key_pem = .*/, 'key_file = /home/me/.ssh/id_ed25519');
  const listed = Array.fromAsync(open('offsite:b', { config }).list('', options));
  await expect(listed).rejects.toMatchObject({ reason: 'WrongConfiguration' });
});

test('a server that is away may come back', async () => {
  const config = server.config.replace(/port = .*/, `port = ${await freePort()}`);
  await expect(open('offsite:b', { config }).head('a', options)).rejects.toMatchObject({
    reason: 'StoreUnreachable',
    retryable: true,
  });
});

test('a folder that may not be written to is told', async () => {
  const store = open('offsite:/proc/1');
  await expect(put(store, 'a')).rejects.toMatchObject({ message: expect.stringContaining('offsite:/proc/1/a') });
});

test('what a killed agent left goes when it is old enough, and is never listed', async () => {
  const store = open();
  await put(store, 'left/kept');
  const folder = join(server.folder, 'b/left');
  await mkdir(join(folder, 'dead'));
  for (const name of ['.tmp-living', 'dead/.tmp-old']) await writeFile(join(folder, name), 'x');
  await utimes(join(folder, 'dead/.tmp-old'), new Date(0), new Date(0));
  expect((await Array.fromAsync(store.list('left/', options))).map(({ key }) => key)).toEqual(['left/kept']);
  expect(await store.sweepUnfinished('left/', new Date(Date.now() - 60_000), options)).toBe(1);
  expect((await readdir(folder)).sort()).toEqual(['.tmp-living', 'kept']);
});

test.each(['../outside', 'a/../../b', '/etc/passwd', 'a//b', '', 'a/.tmp-x', 'a\\b'])(
  'refuses the key %j',
  async (key) => {
    const store = open();
    const refused = { reason: 'InvalidKey' };
    await expect(put(store, key)).rejects.toMatchObject(refused);
    await expect(Promise.resolve().then(() => store.get(key, options))).rejects.toMatchObject(refused);
    await expect(store.delete([key], options)).rejects.toMatchObject(refused);
  },
);

test('a renewed configuration is used by the rclone that runs', async () => {
  let now = 0;
  let config = server.config;
  const store = rcloneStore(
    {
      remote: `offsite:${server.folder}/renewed`,
      config: async () => ({ config, knownHosts: server.knownHosts }),
      configFrom: 'the Secret store',
      now: () => now,
    },
    short,
  );
  stores.push(store);
  await put(store, 'a');
  const [before] = await children();
  config = server.config.replace(/user = .*/, 'user = nobody-of-that-name');
  expect((await store.get('a', options)).toString()).toBe('x');
  now = 61_000;
  await expect(store.head('b', options)).rejects.toMatchObject({ reason: 'WrongCredentials' });
  config = server.config;
  now = 122_000;
  await put(store, 'b');
  expect(await children()).toEqual([before]);
});
