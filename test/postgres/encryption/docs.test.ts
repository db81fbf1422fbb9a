import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPage } from '../../support/docs/page.ts';

const blocks = readPage('docs/encryption.md').blocks.filter(
  ({ fate }) => fate?.kind === 'test' && fate.test === 'postgres/encryption/docs',
);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-keys-'));
  // There is no cluster here: what it would be asked is kept.
  await writeFile(join(folder, 'kubectl'), '#!/bin/sh\necho "$@" >>asked\n');
  await chmod(join(folder, 'kubectl'), 0o755);
  // What the person answers who is asked for a passphrase: none.
  await writeFile(join(folder, 'none'), '\n');
  await writeFile(join(folder, 'gpg.conf'), `batch\npinentry-mode loopback\npassphrase-file ${folder}/none\n`);
});
afterEach(async () => {
  // gpg's agent lives in its folder.
  await execa('gpgconf', ['--kill', 'all'], { env: { GNUPGHOME: folder }, reject: false });
  await rm(folder, { recursive: true, force: true });
});

async function follow(words: string): Promise<string> {
  const block = blocks.find(({ text }) => text.includes(words));
  const env = { PATH: `${folder}:${process.env.PATH}`, GNUPGHOME: folder };
  const { stdout } = await execa('sh', ['-euc', block?.text ?? 'exit 1'], { cwd: folder, env });
  return stdout;
}

const file = async (name: string) => await readFile(join(folder, name), 'utf8');

test('docs/encryption.md has two ways to make keys, and both are followed', () => expect(blocks).toHaveLength(2));

test('keys of age, and their Secret', async () => {
  expect(await follow('age-keygen')).toMatch(/^age1[a-z0-9]{58}$/m);
  expect(await file('identity.txt')).toContain('AGE-SECRET-KEY-1');
  expect(await file('asked')).toBe('--namespace shop create secret generic age-identity --from-file=identity.txt\n');
});

test('keys of gpg, and their Secret', async () => {
  await follow('gpg --quick-generate-key');
  expect(await file('public.asc')).toContain('BEGIN PGP PUBLIC KEY BLOCK');
  expect(await file('private.asc')).toContain('BEGIN PGP PRIVATE KEY BLOCK');
  expect(await file('asked')).toBe('--namespace shop create secret generic gpg-public --from-file=public.asc\n');
});
