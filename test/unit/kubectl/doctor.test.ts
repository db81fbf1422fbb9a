import { expect, test } from 'vitest';
import { useKubectl } from './kubectl.ts';
import { condition, policy, repository, run } from './objects.ts';

const world = useKubectl();
const meta = (name: string, more: object = {}) => ({
  name,
  namespace: 'shop',
  creationTimestamp: '2026-11-15T00:00:00Z',
  ...more,
});
const secret = (name: string, ...keys: readonly string[]) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: meta(name),
  data: Object.fromEntries(keys.map((key) => [key, 'aGVsbG8='])),
});
const cronJob = {
  ...{ apiVersion: 'batch/v1', kind: 'CronJob' },
  metadata: meta('orders-a14cf8e68b'),
  spec: { suspend: false },
};
const server = {
  ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: meta('orders-db') },
  spec: { replicas: 1, template: { spec: { containers: [{ name: 'postgres' }] } } },
  status: { readyReplicas: 1 },
};

function whole(): readonly object[] {
  return [
    policy({ schedules: [{ name: 'base', cron: '15 1 * * 0', timeZone: 'Europe/Amsterdam', method: 'Physical' }] }),
    repository(),
    server,
    secret('orders-db-backup', 'username', 'password'),
    secret('s3-credentials', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'),
    { ...cronJob, metadata: meta('orders-base') },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta('tidemark-agent') },
    run('orders-base-2', '2026-11-15T00:15:00Z', { labels: { 'tidemark.dev/schedule': 'base' } }),
  ];
}

interface Found {
  readonly subject: string;
  readonly result: string;
  readonly message: string;
  readonly remedy?: string;
}

async function wrong(): Promise<{ readonly code: number; readonly found: readonly string[] }> {
  const { code, out } = await world.kubectl('doctor orders -o json');
  const { policies } = JSON.parse(out) as { policies: readonly { checks: readonly Found[] }[] };
  const checks = policies.flatMap((each) => each.checks).filter(({ result }) => result !== 'ok');
  for (const { remedy } of checks) expect(remedy ?? '').not.toBe('');
  return { code, found: checks.map(({ subject, result, message }) => `${result} ${subject}: ${message}`) };
}

test('a policy that has all it needs is whole, and every check says what it saw', async () => {
  world.cluster.put(...whole());
  const { code, out } = await world.kubectl('doctor');
  expect(out).toBe(
    `shop/orders
  ok      operator: It has looked at the policy as it is now.
  ok      StatefulSet orders-db: The source runs.
  ok      BackupRepository offsite: put, list and delete work
  ok      Secret orders-db-backup: For the server.
  ok      Secret s3-credentials: For the store of repository offsite.
  ok      schedule base: Its CronJob is there.
  ok      ServiceAccount tidemark-agent: The Jobs can run under it.
  ok      Ready: Scheduled. Backups are scheduled
  ok      last backup: orders-base-2 succeeded 6 d 9 h ago.
  ok      restorable window: Every moment from 13 d 9 h ago to 1 min ago, without a gap.
  ok      repositories: There is one: a loss of that store is a loss of every backup.
  11 checks, 0 problems, 0 warnings, 0 unknown.
`,
  );
  expect(code).toBe(0);
  expect(world.cluster.changes()).toEqual([]);
});

const cases: readonly (readonly [string, () => readonly object[], readonly string[]])[] = [
  [
    'what is not there',
    () => whole().slice(0, 1),
    [
      'problem StatefulSet orders-db: The source does not exist in this namespace.',
      'problem BackupRepository offsite: It does not exist in the namespace shop.',
      'problem Secret orders-db-backup: It does not exist; it is for the server.',
      'problem schedule base: Its CronJob does not exist, so nothing begins by itself.',
      'problem ServiceAccount tidemark-agent: The account that the Jobs run under does not exist.',
    ],
  ],
  [
    'a Secret that lacks a key',
    () => [...whole(), secret('orders-db-backup', 'user', 'password')],
    ['problem Secret orders-db-backup: It lacks username, or has it empty; it is for the server.'],
  ],
  [
    'a server that does not run',
    () => [...whole(), { ...server, status: {} }],
    ['problem StatefulSet orders-db: The source has no pod that is ready, so there is no server to back up.'],
  ],
  [
    'a repository that cannot be written to',
    () => [
      ...whole(),
      repository({}, { conditions: [condition('Ready', 'False', 'AccessDenied', 'The key may not put.')] }),
    ],
    ['problem BackupRepository offsite: AccessDenied: The key may not put.'],
  ],
  [
    'a repository that is for reading',
    () => [...whole(), repository({ accessMode: 'ReadOnly' })],
    ['problem BackupRepository offsite: It is ReadOnly, so no backup can be stored in it.'],
  ],
  [
    'encryption without an identity',
    () => [...whole(), repository({ encryption: { age: { recipients: [`age1${'q'.repeat(58)}`] } } })],
    [
      'warning BackupRepository offsite: Backups are encrypted, and no identity is named to decrypt them with: no restore can be made from here.',
    ],
  ],
  [
    'a claim that is lost',
    () => [
      ...whole(),
      repository({ s3: undefined, volume: { claimName: 'disk' } }),
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: meta('disk'), status: { phase: 'Lost' } },
    ],
    ['problem PersistentVolumeClaim disk: It is Lost.'],
  ],
  [
    'a schedule that did not fire',
    () => [
      ...whole(),
      { ...cronJob, metadata: meta('orders-base', { creationTimestamp: '2026-11-01T00:00:00Z' }) },
      run('orders-base-2', '2026-11-08T00:15:00Z', { labels: { 'tidemark.dev/schedule': 'base' } }),
    ],
    [
      'warning schedule base: By its cron a backup was due at 2026-11-15T00:15:00.000Z, 6 d 10 h ago, and none began since.',
    ],
  ],
  [
    'a backup that failed since',
    () => [...whole(), run('late', '2026-11-20T00:15:00Z', { status: { phase: 'Failed', error: 'No room.' } })],
    ['problem last backup: late failed: No room.'],
  ],
];

test.each(cases)('finds %s, says what to do, and exits 1 for a problem', async (_, objects, expected) => {
  world.cluster.put(...objects());
  const { code, found } = await wrong();
  expect(found).toEqual(expected);
  expect(code).toBe(expected.some((each) => each.startsWith('problem')) ? 1 : 0);
});

test('finds what the conditions say, no backup yet, no window, no retention, an operator that does not look', async () => {
  const conditions = [
    condition('ContinuousArchiving', 'False', 'ArchiveFailing', 'The bucket is gone.'),
    condition('Stalled', 'True', 'ArchiveFailing', 'A person must act.'),
    condition('Verified', 'Unknown', 'NoBackupYet', 'Nothing yet.'),
  ];
  const status = { conditions, lastSuccessfulRun: {}, restorable: undefined, observedGeneration: undefined };
  const { schedules } = policy({
    schedules: [{ name: 'base', cron: '15 1 * * 0', timeZone: 'Europe/Amsterdam', method: 'Physical' }],
  }).spec;
  const bare = policy({ retention: undefined, schedules }, status);
  world.cluster.put(...whole(), bare);
  const { code, found } = await wrong();
  expect(found).toEqual([
    'problem operator: It has never looked at this policy.',
    'problem ContinuousArchiving: ArchiveFailing. The bucket is gone.',
    'problem Stalled: ArchiveFailing. A person must act.',
    'unknown Verified: NoBackupYet. Nothing yet.',
    'problem last backup: No backup has succeeded yet: nothing can be brought back.',
    'problem restorable window: No moment can be recovered yet: a base backup and the WAL after it are needed.',
    'warning retention: There is none: nothing is ever removed, and the repository grows.',
  ]);
  expect(code).toBe(1);
});

test('what may not be looked at is unknown, not good: exit 8; a Secret that a backup has used is good', async () => {
  world.cluster.put(...whole());
  world.cluster.refuse = ({ path }) =>
    /secrets|serviceaccounts/.test(path) ? { code: 403, reason: 'Forbidden', message: 'no' } : undefined;
  expect(await wrong()).toEqual({
    code: 8,
    found: ['unknown ServiceAccount tidemark-agent: It could not be checked: you may not look at it.'],
  });
});

test('no value of a Secret is ever printed', async () => {
  world.cluster.put(...whole());
  for (const line of ['doctor', 'doctor -o json', 'doctor -o yaml']) {
    const { out, err } = await world.kubectl(line);
    expect(out + err).not.toMatch(/aGVsbG8|hello/);
  }
});
