import { backupRun, logicalPolicy } from './policy.ts';
import type { PostgresWorkload } from './postgres-workload.ts';
import type { Scenario } from './scenario.ts';
import { until } from './until.ts';

export type ArchivingMode = 'Archive' | 'Stream';

/** A BackupPolicy that archives the WAL of a scenario's `orders-db`; `spec` is laid over it. */
export function archivingPolicy(
  namespace: string,
  mode: ArchivingMode,
  spec: Readonly<Record<string, unknown>> = {},
  name = 'orders',
): object {
  return logicalPolicy(namespace, { walArchiving: { mode, archiveTimeoutSeconds: 60 }, ...spec }, name);
}

export function pitrRecovery(namespace: string, name: string, spec: Readonly<Record<string, unknown>>): object {
  return {
    apiVersion: 'tidemark.dev/v1alpha1',
    kind: 'PitrRecovery',
    metadata: { name, namespace },
    spec: { source: { policyRef: { name: 'orders' } }, ...spec },
  };
}

export function physicalRun(namespace: string, name: string, spec: Readonly<Record<string, unknown>> = {}): object {
  return backupRun(namespace, name, { method: 'Physical', ...spec });
}

/** Applies the repository and the policy, and waits until the archive follows the server. */
export async function startArchiving(
  scenario: Scenario,
  mode: ArchivingMode,
  spec: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await scenario.apply(...scenario.repositoryObjects(), archivingPolicy(scenario.namespace, mode, spec));
  await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 240);
}

/** A moment of a server's life, under each of the names that a recovery target may have. */
export interface Moment {
  /** The value that the status table has from this moment on. */
  readonly value: number;
  readonly time: string;
  readonly lsn: string;
  readonly xid: string;
  readonly name: string;
}

/** A table with one value that counts the moments, so that a recovered server says by it where it stands. */
export class Clockwork {
  readonly #postgres: PostgresWorkload;
  #value = 0;

  constructor(postgres: PostgresWorkload) {
    this.#postgres = postgres;
  }

  async begin(): Promise<void> {
    await this.#postgres.psql('create table clockwork (value int not null); insert into clockwork values (0)');
  }

  /** Commits the next value, names the moment after it, and lets a moment pass before the next. */
  async tick(): Promise<Moment> {
    this.#value += 1;
    const value = this.#value;
    const name = `moment-${value}`;
    const xid = await this.#postgres.psql(
      `begin; update clockwork set value = ${value}; select pg_current_xact_id()::text; commit`,
    );
    const lines = await this.#postgres.psql(
      `select pg_current_wal_lsn(); select pg_create_restore_point('${name}'); select pg_sleep(0.05); select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'); select pg_sleep(0.05)`,
    );
    const [lsn = '', , , time = ''] = lines.split('\n');
    return { value, time, lsn, xid: xid.trim(), name };
  }

  /** Lets the archive have all that was written until now, and a commit after it: a time is reached by what comes later. */
  async archived(scenario: Scenario): Promise<void> {
    const answers = await this.#postgres.psql(
      'select pg_current_xact_id(); select pg_walfile_name(pg_current_wal_insert_lsn()); select pg_switch_wal()',
    );
    const [, segment = ''] = answers.split('\n');
    await untilArchived(scenario, segment.trim());
  }
}

/** Waits until the watcher has seen a segment, or a later one, in the archive. */
async function untilArchived(scenario: Scenario, segment: string): Promise<void> {
  let last: unknown;
  await until(
    `segment ${segment} to be archived`,
    async () => {
      const policy = await scenario.kubectl.get('backuppolicy', 'orders', scenario.namespace);
      const wal = policy?.status?.['wal'] as { readonly lastArchivedSegment?: string } | undefined;
      last = wal;
      return (wal?.lastArchivedSegment ?? '') >= segment;
    },
    { seconds: 90, seen: () => JSON.stringify(last) },
  );
}
