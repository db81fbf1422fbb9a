import { access, chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Failure } from '../../../src/domain/failure.ts';
import { rcloneStore } from '../../../src/repository/rclone.ts';
import { whyRefused } from '../../../src/repository/rclone-refusals.ts';

let root: string;
let program: string;
let mark: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-rclone-evil-'));
  program = join(root, 'program');
  mark = join(root, 'ran');
  await writeFile(program, `#!/bin/sh\n: > ${mark}\necho token\n`);
  await chmod(program, 0o755);
  await mkdir(join(root, 'folder'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const ran = () =>
  access(mark).then(
    () => true,
    () => false,
  );

/** Asks a store for a list with this configuration, as the agent would. */
async function listing(config: string, remote = 'offsite:backups'): Promise<unknown> {
  const read = async () => ({ config, knownHosts: undefined });
  const store = rcloneStore({ remote, config: read, configFrom: 'the Secret s' });
  try {
    for await (const _ of store.list('a/', { signal: AbortSignal.timeout(20_000) }));
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await store.close();
  }
}

describe('a configuration of rclone', () => {
  const webdav = (name: string) =>
    `[${name}]\ntype = webdav\nurl = http://127.0.0.1:9\nvendor = other\nbearer_token_command = ${program}\n`;

  test('can have a program run, where nobody looks at it first', async () => {
    await writeFile(join(root, 'rclone.conf'), webdav('offsite'));
    await execa(
      'rclone',
      ['--config', join(root, 'rclone.conf'), '--retries=1', '--low-level-retries=1', 'lsf', 'offsite:'],
      {
        reject: false,
        timeout: 20_000,
      },
    );
    expect(await ran(), 'the test shows nothing where rclone does not do that').toBe(true);
    await rm(mark);
  });

  test.each<[string, (at: string) => string]>([
    ['names a program for its token', () => webdav('offsite')],
    ['names a program for SSH', () => `[offsite]\ntype = sftp\nhost = 127.0.0.1\nssh = ${program} -x\n`],
    ['stands on one that does', () => `[offsite]\ntype = alias\nremote = below:x\n\n${webdav('below')}`],
    [
      'stands on one that does, far below',
      () =>
        `[offsite]\ntype = crypt\nremote = a:x\npassword = x\n\n[a]\ntype = chunker\nremote = b:y\n\n${webdav('b')}`,
    ],
    [
      'unites one that does',
      () =>
        `[offsite]\ntype = union\nupstreams = good:x below:y:ro\n\n[good]\ntype = s3\nprovider = AWS\n\n${webdav('below')}`,
    ],
    ['combines one that does', () => `[offsite]\ntype = combine\nupstreams = "one=below:a b"\n\n${webdav('below')}`],
    [
      'says it within a remote',
      () => `[offsite]\ntype = alias\nremote = :webdav,bearer_token_command="${program}",url="http://127.0.0.1:9":x\n`,
    ],
    ['is a folder of the pod', (at) => `[offsite]\ntype = local\n\n# ${at}\n`],
    ['stands on a folder of the pod', (at) => `[offsite]\ntype = alias\nremote = ${at}/folder\n`],
    ['stands on a folder of the pod in another way', () => `[offsite]\ntype = alias\nremote = :local:/etc\n`],
    [
      'stands on one with options of its own',
      () => `[offsite]\ntype = alias\nremote = below,ssh=${'x'}:y\n\n[below]\ntype = sftp\n`,
    ],
    ['is the memory of the pod', () => '[offsite]\ntype = memory\n'],
    ['sets options of rclone itself', () => '[offsite]\ntype = s3\nprovider = AWS\noverride.endpoint = x\n'],
  ])('that %s is refused before anything is done with it', async (_, config) => {
    const error = await listing(config(root));
    expect(error).toBeInstanceOf(Failure);
    expect(error).toMatchObject({ reason: 'WrongConfiguration', retryable: false });
    expect((error as Failure).message).toContain('nothing was done with it');
    expect(await ran()).toBe(false);
  });

  test('that was good and is no more is refused when the Secret is renewed', async () => {
    let now = 0;
    let config = '[offsite]\ntype = s3\nprovider = Minio\nendpoint = http://127.0.0.1:9\nenv_auth = false\n';
    const store = rcloneStore({
      remote: 'offsite:backups',
      config: async () => ({ config, knownHosts: undefined }),
      configFrom: 'the Secret s',
      now: () => now,
    });
    const look = () => store.head('a/b', { signal: AbortSignal.timeout(3000) }).catch((error: unknown) => error);
    try {
      expect(await look()).not.toMatchObject({ reason: 'WrongConfiguration' });
      config = webdav('offsite');
      now += 120_000;
      expect(await look()).toMatchObject({ reason: 'WrongConfiguration' });
      expect(await look()).toMatchObject({ reason: 'WrongConfiguration' });
      expect(await ran()).toBe(false);
    } finally {
      await store.close();
    }
  });

  test.each([
    { offsite: { type: 'sftp', host: 'h', md5sum_command: 'md5sum', server_command: 'sudo sftp', ssh: '' } },
    { offsite: { type: 'crypt', remote: 'below:x' }, below: { type: 's3', provider: 'AWS' } },
    { offsite: { type: 'union', upstreams: 'a:x b:y:ro' }, a: { type: 's3' }, b: { type: 'b2' } },
    { offsite: { type: 'alias', remote: 'offsite:x' } },
    { other: { type: 'local' } },
    { offsite: { type: 's3' }, unused: { type: 'sftp', ssh: 'x' } },
  ])('that reaches its storage by itself is taken: %j', (sections) => {
    expect(whyRefused(sections as never, 'offsite')).toBeUndefined();
  });
});
