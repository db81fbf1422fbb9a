import { expect } from 'vitest';
import { annotations } from '../../../src/domain/labels.ts';
import {
  failedCount,
  segmentsIn,
  storedWal,
  templateOf,
  untilRolledOut,
  writeSegment,
} from '../../cluster/archiving/archive.ts';
import { letRetentionGo, retentionStatus } from '../../support/tidemark/let-retention-go.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { serverIn, untilReady } from '../../support/tidemark/recovered-server.ts';
import { archivingPolicy, pitrRecovery } from '../../support/tidemark/recovery.ts';
import type { Scenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

/** A piece of the operator's work, from the wish to its end, under a name of its own; it says itself that it was done. */
export interface Operation {
  readonly run: (name: string) => Promise<void>;
  /** Makes room for the next, unobserved. */
  readonly tidy?: (name: string) => Promise<void>;
  /** What must have changed in the namespace after it; by default what changes when nobody is killed. */
  readonly leaves?: readonly string[];
}

interface Place {
  readonly scenario: Scenario;
  readonly postgres: PostgresWorkload;
  /** Of the backups `base` (Physical) and `dump` (Logical). */
  readonly backupID: string;
}

export const operationNames = [
  'a backup and its deletion',
  'a restore',
  'a recovery into a new instance',
  'a recovery in place',
  'retention',
  'a sync of the catalogue',
  'archiving, set up, and taken back with its policy',
] as const;

export function operationsOf({ scenario, postgres, backupID }: Place): Readonly<Record<string, Operation>> {
  const { kubectl, namespace } = scenario;
  const remove = (kind: string, name: string) =>
    kubectl.run(['delete', kind, name, '--ignore-not-found', '--timeout=120s'], { namespace, timeoutSeconds: 130 });
  const completed = async (kind: string, name: string) => {
    const { status } = await scenario.finished(kind, name, 300);
    expect(status, JSON.stringify(status)).toMatchObject({ phase: 'Completed', error: '' });
  };
  const recoveryTarget = { targetImmediate: true, backupID };

  const backup: Operation = {
    run: async (name) => {
      await scenario.apply(backupRun(namespace, name, { deletionPolicy: 'Delete' }));
      await completed('backuprun', name);
      await remove('backuprun', name);
    },
    leaves: [],
  };
  const restore: Operation = {
    run: async (name) => {
      const databases = [{ name: 'shop', targetName: `copy_${name}` }];
      await scenario.apply(restoreRequest(namespace, name, { source: { backupRunRef: { name: 'dump' } }, databases }));
      await completed('restorerequest', name);
      expect(await postgres.psql('select count(*) from things', `copy_${name}`)).toBe('7');
    },
  };
  const instance: Operation = {
    run: async (name) => {
      const target = { instance: { name, storage: { size: '2Gi' } } };
      await scenario.apply(pitrRecovery(namespace, name, { recoveryTarget, target }));
      await completed('pitrrecovery', name);
      await untilReady(scenario, name);
      expect(await serverIn(scenario, postgres, name).psql('select count(*) from things', 'shop')).toBe('7');
    },
    tidy: async (name) => {
      await remove('pitrrecovery', name);
      await remove('statefulset', name);
      await remove('service', name);
      await remove('persistentvolumeclaim', `data-${name}-0`);
    },
  };
  const inPlace: Operation = {
    run: async (name) => {
      await postgres.psql(`create table "since_${name}" ()`, 'shop');
      const target = {
        inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db', keepOldData: false },
      };
      await scenario.apply(pitrRecovery(namespace, name, { recoveryTarget, target }));
      await completed('pitrrecovery', name);
      await untilReady(scenario, 'orders-db');
      expect(await postgres.psql(`select count(*), to_regclass('since_${name}') is null from things`, 'shop')).toBe(
        '7|t',
      );
    },
  };
  return {
    [operationNames[0]]: backup,
    [operationNames[1]]: restore,
    [operationNames[2]]: instance,
    [operationNames[3]]: inPlace,
    [operationNames[4]]: retentionOf(scenario),
    [operationNames[5]]: syncOf(scenario),
    [operationNames[6]]: archivingOf(scenario, postgres),
  };
}

/** Seconds: in full, the operator is killed and started again at dozens of steps within one wait. */
const patience = 400;

/** Two backups, of which one is due at once, since the plan's times are set back. */
function retentionOf(scenario: Scenario): Operation {
  const { kubectl, namespace } = scenario;
  return {
    run: async (name) => {
      await scenario.apply(logicalPolicy(namespace, {}, name));
      for (const run of [`${name}-1`, `${name}-2`]) {
        await scenario.apply(backupRun(namespace, run, { policyRef: { name } }));
        expect((await scenario.finished('backuprun', run)).status?.phase).toBe('Completed');
      }
      const retention = { keepLast: 1, minBackups: 1 };
      await scenario.apply(logicalPolicy(namespace, { retention }, name));
      const planned = async () => (await retentionStatus(scenario, name)).nextDueTime !== undefined;
      await until('the plan', planned, { seconds: patience });
      await letRetentionGo(scenario, name);
      await kubectl.until({
        ...{ resource: 'backuprun', name: `${name}-1`, namespace, seconds: patience },
        to: 'to be expired',
        fits: ({ status }) => status?.phase === 'Expired',
      });
      expect((await kubectl.get('backuprun', `${name}-2`, namespace))?.status?.phase).toBe('Completed');
    },
    // A later operation has a policy of the same name.
    tidy: async (name) => {
      await kubectl.run(['delete', 'backuppolicy', name, '--timeout=120s'], { namespace, timeoutSeconds: 130 });
    },
  };
}

/** A BackupRun that somebody removed comes back from the repository, where all are asked for: one that was known once is not new. */
function syncOf(scenario: Scenario): Operation {
  const { kubectl, namespace } = scenario;
  return {
    run: async (name) => {
      const lost = `lost-${name}`;
      await scenario.apply(backupRun(namespace, lost));
      expect((await scenario.finished('backuprun', lost)).status?.phase).toBe('Completed');
      await kubectl.run(['delete', 'backuprun', lost, '--timeout=60s'], { namespace });
      const asked = `all ${name}`;
      const annotation = `${annotations.sync}=${asked}`;
      await kubectl.run(['annotate', 'backuprepository', 'offsite', '--overwrite', annotation], { namespace });
      await kubectl.until({
        ...{ resource: 'backuprepository', name: 'offsite', namespace, seconds: patience },
        to: 'to be synced',
        fits: ({ status }) => {
          const { requested, report } = (status?.['catalogue'] ?? {}) as {
            requested?: string;
            report?: { outcome: string };
          };
          return requested === asked && report?.outcome === 'Succeeded';
        },
      });
      expect((await scenario.finished('backuprun', lost)).status?.phase).toBe('Completed');
    },
  };
}

/** The server's pods are restarted twice, no segment is lost between, and nothing is left in the end. */
function archivingOf(scenario: Scenario, postgres: PostgresWorkload): Operation {
  const { kubectl, namespace } = scenario;
  return {
    run: async (name) => {
      await scenario.apply(archivingPolicy(namespace, 'Archive', {}, name));
      await scenario.condition('backuppolicy', name, { type: 'ContinuousArchiving', status: 'True' }, 300);
      await untilRolledOut(scenario);
      const segment = await writeSegment(postgres);
      await until('the segment to be stored', async () => segmentsIn(await storedWal(scenario)).includes(segment));
      expect(await failedCount(postgres)).toBe(0);
      const gone = ['delete', 'backuppolicy', name, '--timeout=240s'];
      await kubectl.run(gone, { namespace, timeoutSeconds: 250 });
      await untilRolledOut(scenario);
      expect(JSON.stringify(await templateOf(scenario))).not.toMatch(/tidemark-wal|TIDEMARK_/);
      const mode = () => postgres.psql('show archive_mode').catch(() => '');
      await until('the server without archiving', async () => (await mode()) === 'off');
    },
    leaves: [],
  };
}
