import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { expect } from 'vitest';
import type { Loose } from '../../support/tidemark/kubectl.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import type { Scenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

/** The policy of a scenario, as a person sees it. */
export async function readPolicy({ kubectl, namespace }: Scenario): Promise<Loose> {
  const policy = await kubectl.get('backuppolicy', 'orders', namespace);
  if (policy === undefined) throw new Error('there is no BackupPolicy orders');
  return policy;
}

export function archivingIn(policy: Loose) {
  return policy.status?.conditions?.find(({ type }) => type === 'ContinuousArchiving');
}

export interface Told {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly eventTime: string;
}

/** The Events about the policy, the oldest first. */
export async function eventsOf({ kubectl, namespace }: Scenario, reason?: string): Promise<readonly Told[]> {
  const events = await kubectl.list<Told & { regarding: { kind: string; name: string } }>(
    'events.events.k8s.io',
    namespace,
  );
  return events
    .filter(({ regarding }) => regarding.kind === 'BackupPolicy' && regarding.name === 'orders')
    .filter((event) => reason === undefined || event.reason === reason)
    .sort((one, other) => one.eventTime.localeCompare(other.eventTime));
}

export async function untilEvent(scenario: Scenario, wanted: Partial<Told>): Promise<Told> {
  let seen: readonly Told[] = [];
  return await until(
    `the Event ${JSON.stringify(wanted)}`,
    async () => {
      seen = await eventsOf(scenario);
      return seen.find(({ type, reason }) => (wanted.type ?? type) === type && (wanted.reason ?? reason) === reason);
    },
    { seconds: 60, seen: () => JSON.stringify(seen) },
  );
}

/** What is stored of WAL: the names and the marks of their contents. */
export async function storedWal(scenario: Scenario): Promise<ReadonlyMap<string, string>> {
  const { client, close } = await scenario.s3.connect();
  try {
    const found = new Map<string, string>();
    for (let token: string | undefined, more = true; more; more = token !== undefined) {
      const page = await client.send(new ListObjectsV2Command({ Bucket: scenario.bucket, ContinuationToken: token }));
      for (const { Key = '', ETag = '' } of page.Contents ?? []) if (Key.includes('/wal/')) found.set(Key, ETag);
      token = page.NextContinuationToken;
    }
    return found;
  } finally {
    await close();
  }
}

/** The names of the stored segments, in order. */
export function segmentsIn(stored: ReadonlyMap<string, string>): readonly string[] {
  return [...stored.keys()].flatMap((key) => /\/([0-9A-F]{24})\.zst$/.exec(key)?.[1] ?? []).sort();
}

export async function removeObject({ s3, bucket }: Scenario, key: string): Promise<void> {
  const { client, close } = await s3.connect();
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })).finally(close);
}

export async function putObject({ s3, bucket }: Scenario, key: string, body: string): Promise<void> {
  const { client, close } = await s3.connect();
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body })).finally(close);
}

/** Commits something and closes the segment that has it; gives the segment's name. */
export async function writeSegment(postgres: PostgresWorkload): Promise<string> {
  const answers = await postgres.psql(
    'create table if not exists written (at timestamptz); insert into written values (now()); select pg_walfile_name(pg_current_wal_insert_lsn()); select pg_switch_wal()',
  );
  return answers.split('\n').find((line) => /^[0-9A-F]{24}$/.test(line)) ?? '';
}

/** Waits until the watcher has seen the segment, or a later one, in the archive. */
export async function untilArchived(scenario: Scenario, segment: string): Promise<void> {
  let last: unknown;
  await until(
    `segment ${segment} to be archived`,
    async () => {
      last = (await readPolicy(scenario)).status?.['wal'];
      return ((last as { lastArchivedSegment?: string } | undefined)?.lastArchivedSegment ?? '') >= segment;
    },
    { seconds: 90, seen: () => JSON.stringify(last) },
  );
}

export async function failedCount(postgres: PostgresWorkload): Promise<number> {
  return Number(await postgres.psql('select failed_count from pg_stat_archiver'));
}

/** What ALTER SYSTEM has written. */
export async function alteredSettings(postgres: PostgresWorkload): Promise<string> {
  return await postgres.exec(['sh', '-c', 'grep -v "^#" "$PGDATA/postgresql.auto.conf" || true']);
}

interface Template {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly initContainers?: readonly { readonly name: string }[];
    readonly containers: readonly { readonly name: string; readonly env?: readonly { readonly name: string }[] }[];
    readonly volumes?: readonly { readonly name: string }[];
  };
}

export async function templateOf({ kubectl, namespace }: Scenario, kind = 'statefulset'): Promise<Template> {
  const found = await kubectl.get(kind, 'orders-db', namespace);
  if (found === undefined) throw new Error(`there is no ${kind} orders-db`);
  return found.spec?.['template'] as Template;
}

/** Waits until all pods of the workload are those of its template, and ready. */
export async function untilRolledOut({ kubectl, namespace }: Scenario, what = 'statefulset/orders-db'): Promise<void> {
  await kubectl.run(['rollout', 'status', what, '--timeout=120s'], { namespace, timeoutSeconds: 130 });
}

/** The refusal is told wherever a person looks, and nothing that was stored is another one now; gives the message. */
export async function expectRefused(
  scenario: Scenario,
  reason: string,
  stored: ReadonlyMap<string, string>,
): Promise<string> {
  const wanted = { type: 'ContinuousArchiving', status: 'False', reason };
  const policy = await scenario.condition('backuppolicy', 'orders', wanted, 120);
  await untilEvent(scenario, { type: 'Warning', reason });
  expect(await scenario.kubectl.run(['get', 'bpol', 'orders'], scenario)).toMatch(RegExp(`orders +False +${reason} `));
  expect(policy.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Stalled', reason }));
  await expectUnchanged(scenario, stored);
  return archivingIn(policy)?.message ?? '';
}

/** All that was stored is there as it was. */
export async function expectUnchanged(scenario: Scenario, stored: ReadonlyMap<string, string>): Promise<void> {
  const now = await storedWal(scenario);
  for (const [key, mark] of stored) expect(now.get(key), key).toBe(mark);
}
