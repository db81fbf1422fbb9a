import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ensureDebianPackages } from '../../support/cluster/packages.ts';
import { type Reader, startReader } from '../../support/docs/follow.ts';
import { type Block, readPage } from '../../support/docs/page.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

const page = readPage('docs/encryption.md').blocks;
const own = page.filter(({ fate }) => fate?.kind === 'test' && fate.test === 'cluster/docs/encryption');

function blockWith(words: string, blocks: readonly Block[] = page): Block {
  const found = blocks.find(({ text }) => text.includes(words));
  if (found === undefined) throw new Error(`docs/encryption.md has no block with ${words}`);
  return found;
}

interface Repository {
  readonly spec: { readonly s3: object };
}

/** Keys are made in a home of the reader's own; what is made of them in the cluster, repositories are encrypted with. */
describe('docs/encryption.md, followed', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let reader: Reader & { readonly folder: string };

  beforeAll(async () => {
    await ensureDebianPackages(['age', 'gnupg'], () => undefined);
    scenario = await startScenario('keys');
    postgres = await scenario.postgres();
    await postgres.psql('create database orders');
    await postgres.psql('create table public.orders as select generate_series(1, 1234) as id', 'orders');
    reader = await startReader(scenario, (text) => text, { atHome: true });
    const home = join(reader.folder, '.gnupg');
    await mkdir(home, { mode: 0o700 });
    // What the person answers who is asked for a passphrase: none.
    await writeFile(join(home, 'none'), '\n');
    await writeFile(join(home, 'gpg.conf'), `batch\npinentry-mode loopback\npassphrase-file ${home}/none\n`);
  });
  afterAll(async () => {
    if (reader === undefined) return;
    // gpg's agent lives in its folder.
    await execa('gpgconf', ['--kill', 'all'], { env: { GNUPGHOME: join(reader.folder, '.gnupg') }, reject: false });
    await rm(reader.folder, { recursive: true, force: true });
  });

  const file = async (name: string) => await readFile(join(reader.folder, name), 'utf8');
  const encrypted = (name: string, encryption: object) => {
    const [secret, repository] = scenario.repositoryObjects(name) as readonly [object, Repository];
    // Each has a place of its own: a repository has one scheme.
    const s3 = { ...repository.spec.s3, prefix: name };
    return [secret, { ...repository, spec: { ...repository.spec, s3, encryption } }];
  };
  const ready = async (name: string) =>
    await scenario.condition('backuprepository', name, { type: 'Ready', status: 'True' });

  test('the page has two ways to make keys', () => expect(own).toHaveLength(2));

  test('keys of age, and their Secret: what is encrypted for the one comes back with the other', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    const [recipient = ''] = /^age1[a-z0-9]{58}$/m.exec(await reader.follow(blockWith('age-keygen', own))) ?? [];
    expect(await file('identity.txt')).toContain('AGE-SECRET-KEY-1');
    const { spec } = parse(blockWith('kind: BackupRepository').text);
    const { age } = spec.encryption;
    // The first recipient is the reader; the page's second is somebody else.
    const recipients = [recipient, ...age.recipients.slice(1)];
    expect(recipients).toHaveLength(2);
    await scenario.apply(...encrypted('offsite', { age: { ...age, recipients } }));
    await ready('offsite');
    await scenario.apply(logicalPolicy(namespace), backupRun(namespace, 'encrypted'));
    expect((await scenario.finished('backuprun', 'encrypted')).status).toMatchObject({ phase: 'Completed' });
    const databases = [{ name: 'orders', targetName: 'orders_back' }];
    const source = { backupRunRef: { name: 'encrypted' } };
    await scenario.apply(restoreRequest(namespace, 'decrypted', { source, databases }));
    expect((await scenario.finished('restorerequest', 'decrypted')).status).toMatchObject({
      phase: 'Completed',
      error: '',
    });
    expect(await postgres.psql('select count(*) from public.orders', 'orders_back')).toBe('1234');
  });

  test('keys of gpg, and their Secret: the repository encrypts for them', async () => {
    explainFailure(scenario);
    await reader.follow(blockWith('gpg --quick-generate-key', own));
    expect(await file('public.asc')).toContain('BEGIN PGP PUBLIC KEY BLOCK');
    expect(await file('private.asc')).toContain('BEGIN PGP PRIVATE KEY BLOCK');
    const listed = await execa('gpg', ['--with-colons', '--list-keys'], {
      env: { GNUPGHOME: join(reader.folder, '.gnupg') },
    });
    const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(listed.stdout)?.[1];
    const { encryption } = parse(blockWith('publicKeySecretRef').text);
    await scenario.apply(...encrypted('of-gpg', { gpg: { ...encryption.gpg, recipients: [fingerprint] } }));
    expect((await ready('of-gpg')).status).toMatchObject({ probe: { outcome: 'Succeeded' } });
  });
});
