import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPage } from '../../support/docs/page.ts';
import { openSftp, type SftpServer, startSftpServer } from '../../support/sftp/server.ts';

let server: SftpServer;
let home: string;

beforeAll(async () => {
  server = await startSftpServer();
  home = await mkdtemp(join(tmpdir(), 'tidemark-rclone-home-'));
  await mkdir(join(home, '.ssh'));
  const [, key = ''] = /^key_pem = (.*)$/m.exec(server.config) ?? [];
  await writeFile(join(home, '.ssh/backup'), key.replaceAll('\\n', '\n'), { mode: 0o600 });
  // There is no cluster here: what it would be asked is kept.
  await writeFile(join(home, 'kubectl'), '#!/bin/sh\necho "$@" >>asked\n', { mode: 0o755 });
});
afterAll(async () => {
  await server?.stop();
  await rm(home, { recursive: true, force: true });
});

test('the Secret that docs/repositories.md makes opens a repository over SFTP', async () => {
  const block = readPage('docs/repositories.md').blocks.find(({ text }) => text.includes('rclone config create'));
  const script = (block?.text ?? 'exit 1')
    .replace('ssh-keyscan backup.example.com', `ssh-keyscan -p ${server.port} 127.0.0.1`)
    .replace('host=backup.example.com user=backup', `host=127.0.0.1 port=${server.port} user=${userInfo().username}`)
    .replace('office:backups', `office:${server.folder}/backups`);
  const env = { PATH: `${home}:/usr/bin:/bin`, HOME: home };
  await execa('sh', ['-euc', script], { cwd: home, env, extendEnv: false });
  const file = (name: string) => readFile(join(home, name), 'utf8');
  const config = await file('.config/rclone/rclone.conf');
  expect(await file('asked')).toBe(
    `--namespace shop create secret generic rclone-office --from-file=${home}/.config/rclone/rclone.conf --from-file=known_hosts\n`,
  );
  const { signal } = new AbortController();
  const store = openSftp({ config, knownHosts: await file('known_hosts') }, `office:${server.folder}/backups/prod`);
  try {
    await store.put('probe', Buffer.from('there'), { ifAbsent: true, signal });
    expect(await readFile(join(server.folder, 'backups/prod/probe'), 'utf8')).toBe('there');
  } finally {
    await store.close();
  }
});
