import { describe, expect, test } from 'vitest';
import { jobTemplate } from '../../../../src/api/job-template.ts';
import { backupTask } from '../../../../src/controllers/backup-task.ts';
import { volumesOf } from '../../../../src/controllers/jobs/volumes.ts';
import type { BackupTask } from '../../../../src/domain/task.ts';
import { policy, repository } from '../objects.ts';

const source = { host: 'db.example', credentialsSecretRef: { name: 'db' } };
const tls = {
  mode: 'verify-full',
  caSecretRef: { name: 'ca', key: 'ca.crt' },
  clientCertificateSecretRef: { name: 'client' },
};
const s3 = {
  s3: { bucket: 'backups', credentialsSecretRef: { name: 's3' }, caBundleSecretRef: { name: 's3-ca', key: 'pem' } },
};

function volumes(spec: object, template: unknown = {}, stored = repository()) {
  const task = backupTask({
    policy: policy({ spec: { ...spec } }),
    repositories: [stored],
    hosts: ['db'],
    method: 'Logical',
  }) as BackupTask;
  const { volumes: all, mounts } = volumesOf(task, jobTemplate.parse(template));
  return {
    volumes: all as readonly (Readonly<Record<string, unknown>> & { readonly name: string })[],
    mounts: mounts as readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[],
  };
}

test('every volume is mounted once, Secrets for reading only', () => {
  const { volumes: all, mounts } = volumes({ source: { ...source, tls } }, {}, repository({ spec: s3 }));
  expect(mounts.map(({ name }) => name)).toEqual(all.map(({ name }) => name));
  expect(new Set(mounts.map(({ mountPath }) => mountPath)).size).toBe(mounts.length);
  const secrets = all.filter((volume) => 'projected' in volume).map(({ name }) => name);
  expect(secrets).toEqual([
    'server-credentials',
    'server-ca',
    'server-certificate',
    'repository-0-credentials',
    'repository-0-ca',
  ]);
  for (const name of secrets) expect(mounts.find((mount) => mount.name === name)?.readOnly).toBe(true);
});

test.each<[string, object, readonly string[]]>([
  [
    'azureBlob',
    { azureBlob: { container: 'backups', credentialsSecretRef: { name: 'store' } } },
    ['AZURE_STORAGE_CONNECTION_STRING', 'AZURE_STORAGE_ACCOUNT', 'AZURE_STORAGE_KEY', 'AZURE_STORAGE_SAS_TOKEN'],
  ],
  [
    'googleCloudStorage',
    { googleCloudStorage: { bucket: 'backups', credentialsSecretRef: { name: 'store' } } },
    ['service-account.json'],
  ],
  [
    'rclone',
    { rclone: { remote: 'offsite:backups', configSecretRef: { name: 'store', key: 'conf' } } },
    ['conf', 'known_hosts'],
  ],
])('the Secret of %s is mounted with the keys that its store knows, and no others', (_, spec, keys) => {
  const { volumes: all } = volumes({ source }, {}, repository({ spec: { ...spec } }));
  expect(all.find(({ name }) => name === 'repository-0-credentials')?.projected).toEqual({
    defaultMode: 0o440,
    sources: keys.map((key) => ({ secret: { name: 'store', items: [{ key, path: key }], optional: true } })),
  });
});

test('without a Secret the store’s volume is not there: the pod has an identity of its own', () => {
  const { volumes: all } = volumes({ source }, {}, repository({ spec: { azureBlob: { container: 'backups' } } }));
  expect(all.map(({ name }) => name)).not.toContain('repository-0-credentials');
});

test('a Secret that is missing keeps no pod from starting', () => {
  const { volumes: all } = volumes({ source });
  const projected = all.find(({ name }) => name === 'server-credentials')?.projected;
  expect(projected).toEqual({
    defaultMode: 0o440,
    sources: ['username', 'password'].map((key) => ({
      secret: { name: 'db', items: [{ key, path: key }], optional: true },
    })),
  });
});

test('a claim is mounted for writing', () => {
  const { volumes: all, mounts } = volumes({ source });
  expect(all).toContainEqual({ name: 'repository-0', persistentVolumeClaim: { claimName: 'backups' } });
  expect(mounts.find(({ name }) => name === 'repository-0')?.readOnly).toBeUndefined();
});

test('scratch space is the node’s, or a claim of the size that was asked for', () => {
  const scratch = (template: unknown) => volumes({ source }, template).volumes.find(({ name }) => name === 'scratch');
  expect(scratch({})).toEqual({ name: 'scratch', emptyDir: {} });
  expect(scratch({ scratch: { size: '10Gi', storageClassName: 'fast' } })).toMatchObject({
    ephemeral: {
      volumeClaimTemplate: { spec: { resources: { requests: { storage: '10Gi' } }, storageClassName: 'fast' } },
    },
  });
});

test('a tar’s tables are staged in /tmp, so that this is scratch then', () => {
  const logical = { format: 'Tar' };
  const { volumes: all, mounts } = volumes({ source, logical }, { scratch: { size: '10Gi' } });
  expect(mounts.filter(({ name }) => name === 'scratch').map(({ mountPath }) => mountPath)).toEqual([
    '/tmp',
    '/scratch',
  ]);
  expect(all.filter(({ name }) => name === 'scratch' || name === 'tmp')).toHaveLength(1);
});

const encrypted = {
  volume: { claimName: 'backups' },
  encryption: {
    age: { recipients: [`age1${'q'.repeat(58)}`], identitySecretRef: { name: 'age-identity', key: 'identity.txt' } },
  },
};
const stored = { name: 'store', spec: repository({ spec: encrypted }).spec };

test.each(['restore', 'plan-recovery', 'recover'])('a pod that does %s has the identity, and may lack it', (action) => {
  const task = { action, repository: stored, source: { repository: stored }, restore: { databases: [] } };
  const { volumes: all, mounts } = volumesOf(task as never, jobTemplate.parse({}));
  expect(all).toContainEqual({
    name: 'repository-0-identity',
    projected: {
      defaultMode: 0o440,
      sources: [
        { secret: { name: 'age-identity', items: [{ key: 'identity.txt', path: 'identity.txt' }], optional: true } },
      ],
    },
  });
  expect(mounts).toContainEqual({
    name: 'repository-0-identity',
    mountPath: '/var/run/tidemark/repositories/0/identity',
    readOnly: true,
  });
});

test.each(['backup', 'archive', 'watch-wal', 'delete', 'probe'])('a pod that does %s never has it', (action) => {
  const task = { action, repository: stored, repositories: [stored] };
  expect(JSON.stringify(volumesOf(task as never, jobTemplate.parse({})))).not.toContain('identity');
});

describe('of a repository that is encrypted by gpg', () => {
  const gpg = {
    publicKeySecretRef: { name: 'gpg-public', key: 'public.asc' },
    recipients: ['0123456789ABCDEF0123456789ABCDEF01234567'],
    identitySecretRef: { name: 'gpg-private', key: 'private.asc' },
  };
  const spec = { volume: { claimName: 'backups' }, encryption: { gpg } };
  const sealed = { name: 'store', spec: repository({ spec }).spec };

  test.each(['backup', 'archive', 'watch-wal', 'probe'])('a pod that does %s has the public keys alone', (action) => {
    const task = { action, repository: sealed, repositories: [sealed] };
    const { mounts } = volumesOf(task as never, jobTemplate.parse({}));
    expect(mounts).toContainEqual({
      name: 'repository-0-public-keys',
      mountPath: '/var/run/tidemark/repositories/0/public-keys',
      readOnly: true,
    });
    expect(JSON.stringify(volumesOf(task as never, jobTemplate.parse({})))).not.toMatch(/identity|gpg-private/);
  });

  test('a pod that restores has the private ones', () => {
    const task = { action: 'restore', repository: sealed, restore: { databases: [] } };
    const { volumes } = volumesOf(task as never, jobTemplate.parse({}));
    expect(JSON.stringify(volumes)).toContain('gpg-private');
  });

  test('what a backup is told says nothing of those', () => {
    const told = backupTask({
      policy: policy({ spec: { source } }),
      repositories: [repository({ spec })],
      hosts: ['db'],
      method: 'Logical',
    });
    expect(JSON.stringify(told)).toContain('gpg-public');
    expect(JSON.stringify(told)).not.toMatch(/identity|gpg-private/);
  });
});

test('what a backup is told says nothing of it either', () => {
  const task = backupTask({
    policy: policy({ spec: { source } }),
    repositories: [repository({ spec: encrypted })],
    hosts: ['db'],
    method: 'Logical',
  });
  expect(JSON.stringify(task)).toContain('age1');
  expect(JSON.stringify(task)).not.toContain('identity');
});

test('the Secrets of HTTP hooks are mounted by the keys that they name, each hook’s apart', () => {
  const secretKeyRef = { name: 'hc', key: 'token' };
  const http = { url: 'https://hc.example.com/', headers: [{ name: 'Authorization', secretKeyRef }] };
  const caSecretRef = { name: 'ca', key: 'ca.crt' };
  const { volumes: all, mounts } = volumes({
    source,
    hooks: {
      preBackup: [{ http: { url: 'http://plain/' } }, { http }],
      postBackup: [{ http: { ...http, caSecretRef } }],
    },
  });
  const own = all.filter(({ name }) => name.startsWith('hook-'));
  const of = (secret: string, key: string, path: string) => ({
    secret: { name: secret, items: [{ key, path }], optional: true },
  });
  expect(own).toEqual([
    { name: 'hook-pre-1', projected: { defaultMode: 0o440, sources: [of('hc', 'token', 'header-0')] } },
    {
      name: 'hook-post-0',
      projected: { defaultMode: 0o440, sources: [of('hc', 'token', 'header-0'), of('ca', 'ca.crt', 'ca')] },
    },
  ]);
  expect(mounts.find(({ name }) => name === 'hook-post-0')).toEqual({
    name: 'hook-post-0',
    mountPath: '/var/run/tidemark/hooks/postBackup/0',
    readOnly: true,
  });
});
