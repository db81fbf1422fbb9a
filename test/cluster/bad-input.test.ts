import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Loose } from '../support/tidemark/kubectl.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { s3Repository } from '../support/tidemark/scenario-objects.ts';
import { fingerprint, loadShop } from '../support/tidemark/shop.ts';

describe('bad input is refused in words that say what to do, and nothing is lost or half-done', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let before: readonly string[];

  beforeAll(async () => {
    scenario = await startScenario('bad');
    postgres = await scenario.postgres();
    await loadShop(postgres);
    before = await fingerprint(postgres);
    await scenario.apply(
      ...scenario.repositoryObjects(),
      logicalPolicy(scenario.namespace),
      backupRun(scenario.namespace, 'good'),
    );
    expect((await scenario.finished('backuprun', 'good')).status).toMatchObject({ phase: 'Completed' });
  });

  test('a cron of six fields is refused at admission', async () => {
    const schedules = [{ name: 'nightly', cron: '0 0 3 * * *', method: 'Logical' }];
    await expect(scenario.apply(logicalPolicy(scenario.namespace, { schedules }, 'six'))).rejects.toThrow(
      /spec\.schedules\[0\]\.cron/,
    );
  });

  test('two targets are refused at admission', async () => {
    const source = {
      workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
      host: 'db.example.com',
      credentialsSecretRef: { name: 'orders-db' },
    };
    await expect(scenario.apply(logicalPolicy(scenario.namespace, { source }, 'two'))).rejects.toThrow(
      /exactly one of workloadRef, host must be set/,
    );
    const target = { server: { host: 'db', credentialsSecretRef: { name: 'orders-db' } }, ephemeral: {} };
    await expect(
      scenario.apply(restoreRequest(scenario.namespace, 'two', { source: { backupRunRef: { name: 'good' } }, target })),
    ).rejects.toThrow(/exactly one of server, instance, inPlace, ephemeral must be set/);
  });

  test('the spec of a BackupRun cannot change, but for hold and cancel', async () => {
    const patch = (spec: object) =>
      scenario.kubectl.run(['patch', 'backuprun', 'good', '--type=merge', '-p', JSON.stringify({ spec })], {
        namespace: scenario.namespace,
      });
    await expect(patch({ policyRef: { name: 'other' } })).rejects.toThrow(/only hold and cancel may change/);
    await patch({ hold: true });
    await patch({ hold: false });
  });

  test('an unknown time zone stops the policy with InvalidSchedule', async () => {
    explainFailure(scenario);
    const schedules = [{ name: 'nightly', cron: '0 3 * * *', timeZone: 'Europe/Atlantis', method: 'Logical' }];
    await scenario.apply(logicalPolicy(scenario.namespace, { schedules }, 'atlantis'));
    const policy = await scenario.condition('backuppolicy', 'atlantis', {
      type: 'Ready',
      status: 'False',
      reason: 'InvalidSchedule',
    });
    expect(message(policy, 'Ready')).toMatch(/Europe\/Atlantis/);
    expect(await scenario.kubectl.list('cronjobs', scenario.namespace, 'tidemark.dev/policy=atlantis')).toEqual([]);
  });

  test('a missing Secret fails the run with its name', async () => {
    await expectRunFailure(
      'no-secret',
      { source: { ...source(), credentialsSecretRef: { name: 'nowhere' } } },
      'MissingSecret',
      /nowhere/,
    );
  });

  test('a wrong password fails the run', async () => {
    await scenario.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'wrong', namespace: scenario.namespace },
      type: 'kubernetes.io/basic-auth',
      stringData: { username: 'postgres', password: 'wrong' },
    });
    await expectRunFailure(
      'wrong-password',
      { source: { ...source(), credentialsSecretRef: { name: 'wrong' } } },
      'WrongPassword',
      /password/,
    );
  });

  test('an unreachable host fails the run', async () => {
    const unreachable = { host: 'nobody.example.invalid', credentialsSecretRef: { name: 'orders-db' } };
    await expectRunFailure('no-host', { source: unreachable }, 'HostNotFound', /nobody\.example\.invalid/);
  });

  test('a database that does not exist fails the run with its name', async () => {
    await expectRunFailure(
      'no-database',
      { logical: { databases: { include: ['shop', 'atlantis'] } } },
      'DatabaseNotFound',
      /atlantis/,
    );
  });

  test('a bucket that does not exist is found by the repository probe and by the run', async () => {
    const { namespace, s3 } = scenario;
    await scenario.apply(
      s3.secret(namespace, 'no-bucket-s3'),
      s3Repository(namespace, 'no-bucket', s3.endpoint, 'no-such-bucket-here'),
    );
    const repository = await scenario.condition('backuprepository', 'no-bucket', {
      type: 'Ready',
      status: 'False',
      reason: 'NoSuchBucket',
    });
    expect(message(repository, 'Ready')).toMatch(/no-such-bucket-here/);
    await expectRunFailure(
      'no-bucket',
      { repositoryRefs: [{ name: 'no-bucket' }] },
      'NoSuchBucket',
      /no-such-bucket-here/,
    );
  });

  test('a wrong S3 key is found by the repository probe and by the run', async () => {
    const { namespace, s3, bucket } = scenario;
    const secret = {
      ...s3.secret(namespace, 'wrong-key-s3'),
      stringData: { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'nothing' },
    };
    await scenario.apply(secret, s3Repository(namespace, 'wrong-key', s3.endpoint, bucket));
    await scenario.condition('backuprepository', 'wrong-key', {
      type: 'Ready',
      status: 'False',
      reason: 'WrongCredentials',
    });
    await expectRunFailure('wrong-key', { repositoryRefs: [{ name: 'wrong-key' }] }, 'WrongCredentials', /Secret/);
  });

  test('a restore into an existing database with onConflict Fail changes nothing', async () => {
    explainFailure(scenario);
    await scenario.apply(
      restoreRequest(scenario.namespace, 'conflict', {
        source: { backupRunRef: { name: 'good' } },
        databases: [{ name: 'shop' }],
      }),
    );
    const request = await scenario.finished('restorerequest', 'conflict');
    expect(request.status).toMatchObject({
      phase: 'Failed',
      conditions: [{ type: 'Succeeded', reason: 'TargetExists' }, { type: 'Stalled' }],
    });
    expect(request.status?.error).toMatch(/onConflict/);
    expect(await fingerprint(postgres)).toEqual(before);
  });

  test('a corrupted object is found before anything in the target is touched', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(backupRun(namespace, 'damaged'));
    const run = await scenario.finished('backuprun', 'damaged');
    await damageOneDump(run.status?.backupID ?? '');
    await scenario.apply(
      restoreRequest(namespace, 'damaged', {
        source: { backupRunRef: { name: 'damaged' } },
        databases: [{ name: 'shop', targetName: 'from_damaged' }],
      }),
    );
    const request = await scenario.finished('restorerequest', 'damaged');
    expect(request.status).toMatchObject({
      phase: 'Failed',
      conditions: [{ type: 'Succeeded', reason: 'CorruptedBackup' }, { type: 'Stalled' }],
    });
    expect(await postgres.psql("select count(*) from pg_database where datname = 'from_damaged'")).toBe('0');
  });

  function source(): object {
    return { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, credentialsSecretRef: { name: 'orders-db' } };
  }

  /** A policy of its own with the fault in it, and a run that must end in the reason, leaving nothing that looks like a backup. */
  async function expectRunFailure(
    name: string,
    spec: Readonly<Record<string, unknown>>,
    reason: string,
    words: RegExp,
  ): Promise<void> {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(logicalPolicy(namespace, spec, name), backupRun(namespace, name, { policyRef: { name } }));
    const run = await scenario.finished('backuprun', name);
    expect(run.status).toMatchObject({
      phase: 'Failed',
      conditions: [{ type: 'Succeeded', status: 'False', reason }, { type: 'Stalled' }],
    });
    expect(run.status?.error).toMatch(words);
    expect(await keysUnder(`test/${namespace}/${name}/`)).toEqual([]);
  }

  async function keysUnder(prefix: string): Promise<readonly string[]> {
    const { client, close } = await scenario.s3.connect();
    try {
      const { Contents = [] } = await client.send(
        new ListObjectsV2Command({ Bucket: scenario.bucket, Prefix: prefix }),
      );
      return Contents.map(({ Key = '' }) => Key);
    } finally {
      await close();
    }
  }

  /** Turns one bit in the middle of the largest object of a backup. */
  async function damageOneDump(backupID: string): Promise<void> {
    const { client, close } = await scenario.s3.connect();
    try {
      const { Contents = [] } = await client.send(
        new ListObjectsV2Command({ Bucket: scenario.bucket, Prefix: `test/${scenario.namespace}/orders/` }),
      );
      const [largest] = Contents.filter(({ Key }) => Key?.includes(backupID)).sort(
        (a, b) => (b.Size ?? 0) - (a.Size ?? 0),
      );
      const where = { Bucket: scenario.bucket, Key: largest?.Key };
      const { Body } = await client.send(new GetObjectCommand(where));
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      await client.send(new DeleteObjectCommand(where));
      await client.send(new PutObjectCommand({ ...where, Body: bytes }));
    } finally {
      await close();
    }
  }
});

function message({ status }: Loose, type: string): string {
  return status?.conditions?.find((condition) => condition.type === type)?.message ?? '';
}
