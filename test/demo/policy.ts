import { BucketAlreadyExists, BucketAlreadyOwnedByYou } from '@aws-sdk/client-s3';
import { s3Repository } from '../support/tidemark/scenario-objects.ts';
import { until } from '../support/tidemark/until.ts';
import { bucket, type DemoState, demoNamespace, type Step } from './demo-state.ts';

/** Where the backups go, and what is protected: the two objects that a user writes. */
export async function createPolicy(state: DemoState, step: Step): Promise<void> {
  const { kubectl, s3 } = state;
  await s3.createBucket(bucket).catch((error: unknown) => {
    if (!(error instanceof BucketAlreadyOwnedByYou || error instanceof BucketAlreadyExists)) throw error;
  });
  await kubectl.apply([
    s3.secret(demoNamespace, 'offsite-s3'),
    s3Repository(demoNamespace, 'offsite', s3.endpoint, bucket),
    policy,
  ]);
  let shown = '';
  await until(
    'the policy and its repository to be ready',
    async () => {
      const objects = await Promise.all([
        kubectl.get('backuprepository', 'offsite', demoNamespace),
        kubectl.get('backuppolicy', 'orders', demoNamespace),
      ]);
      const [repository, policy] = objects.map((object) => object?.status?.conditions);
      const line = [...stateOf(repository, 'Ready'), ...stateOf(policy, 'ContinuousArchiving')].join('; ');
      if (line !== shown) step.output = line;
      shown = line;
      return isTrue(repository, 'Ready') && isTrue(policy, 'Ready') && isTrue(policy, 'ContinuousArchiving');
    },
    { seconds: 240 },
  );
}

const weekly = { name: 'weekly-base', cron: '15 1 * * 0', timeZone: 'Europe/Amsterdam', method: 'Physical' };

/** A backup a minute is for those who watch; then the policy is one that a shop would have. */
export async function settleSchedules({ kubectl }: DemoState): Promise<void> {
  const schedules = [{ name: 'nightly', cron: '0 3 * * *', timeZone: 'Europe/Amsterdam', method: 'Logical' }, weekly];
  await kubectl.run(
    ['patch', 'backuppolicy', 'orders', '--type', 'merge', '--patch', JSON.stringify({ spec: { schedules } })],
    { namespace: demoNamespace },
  );
}

const policy = {
  apiVersion: 'tidemark.dev/v1alpha1',
  kind: 'BackupPolicy',
  metadata: { name: 'orders', namespace: demoNamespace },
  spec: {
    source: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, credentialsSecretRef: { name: 'orders-db' } },
    repositoryRefs: [{ name: 'offsite' }],
    schedules: [{ name: 'every-minute', cron: '* * * * *', timeZone: 'Europe/Amsterdam', method: 'Logical' }, weekly],
    suspend: false,
    walArchiving: { mode: 'Archive', archiveTimeoutSeconds: 60 },
    logical: { format: 'Directory', jobs: 2, databases: { include: ['pgbench', 'shop'] } },
    historyLimits: { succeeded: 5, failed: 3 },
  },
};

type Conditions = readonly { type: string; status: string; message: string }[] | undefined;

function stateOf(conditions: Conditions, wanted: string): readonly string[] {
  const found = conditions?.find(({ type }) => type === wanted);
  return found === undefined ? [] : [`${wanted}=${found.status} ${found.message}`];
}

function isTrue(conditions: Conditions, wanted: string): boolean {
  return conditions?.some(({ type, status }) => type === wanted && status === 'True') ?? false;
}
