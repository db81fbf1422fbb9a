import type { z } from 'zod';
import {
  type BackupPolicySpec,
  type BackupPolicyStatus,
  backupPolicySpec,
  backupPolicyStatus,
} from './backup-policy.ts';
import {
  type BackupRepositorySpec,
  type BackupRepositoryStatus,
  backupRepositorySpec,
  backupRepositoryStatus,
} from './backup-repository.ts';
import { type BackupRunSpec, type BackupRunStatus, backupRunSpec, backupRunStatus } from './backup-run.ts';
import { backupPolicy as backupPolicyDocumentation } from './documentation/backup-policy.ts';
import { backupRepository as backupRepositoryDocumentation } from './documentation/backup-repository.ts';
import { backupRun as backupRunDocumentation } from './documentation/backup-run.ts';
import { pitrRecovery as pitrRecoveryDocumentation } from './documentation/pitr-recovery.ts';
import { restoreRequest as restoreRequestDocumentation } from './documentation/restore-request.ts';
import type { Documentation } from './documentation/shared.ts';
import {
  type PitrRecoverySpec,
  type PitrRecoveryStatus,
  pitrRecoverySpec,
  pitrRecoveryStatus,
} from './pitr-recovery.ts';
import {
  type RestoreRequestSpec,
  type RestoreRequestStatus,
  restoreRequestSpec,
  restoreRequestStatus,
} from './restore-request.ts';

export const group = 'tidemark.dev';
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}`;

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date' | 'boolean';
  readonly jsonPath: string;
  /** 1: shown with -o wide only. */
  readonly priority?: 1;
  readonly description?: string;
}

export interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly description: string;
  /** The longest name: it becomes a label's value, and the start of other objects' names. */
  readonly nameLength: number;
  /** What `kubectl explain` says of the spec's fields. */
  readonly documentation: Documentation;
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  readonly columns: readonly PrinterColumn[];
  readonly selectableFields?: readonly string[];
}

const age: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
const conditionColumn = (
  name: string,
  type: string,
  part: 'status' | 'reason' | 'message',
  priority?: 1,
): PrinterColumn => ({
  name,
  type: 'string',
  jsonPath: `.status.conditions[?(@.type=="${type}")].${part}`,
  ...(priority === undefined ? {} : { priority }),
});
const column = (
  name: string,
  jsonPath: string,
  type: PrinterColumn['type'] = 'string',
  priority?: 1,
): PrinterColumn => ({
  name,
  type,
  jsonPath,
  ...(priority === undefined ? {} : { priority }),
});

export const backupRepository = {
  kind: 'BackupRepository',
  plural: 'backuprepositories',
  shortName: 'brepo',
  nameLength: 63,
  description: 'Where backups live: one object per bucket prefix, volume or remote; many policies may share it.',
  documentation: backupRepositoryDocumentation,
  spec: backupRepositorySpec,
  status: backupRepositoryStatus,
  columns: [
    conditionColumn('Ready', 'Ready', 'status'),
    conditionColumn('Reason', 'Ready', 'reason'),
    column('Backups', '.status.backups', 'integer'),
    column('Stored', '.status.storedBytes'),
    column('Last Sync', '.status.lastSyncTime', 'date'),
    column('Bucket', '.spec.s3.bucket'),
    column('Claim', '.spec.volume.claimName', 'string', 1),
    column('Access', '.spec.accessMode', 'string', 1),
    conditionColumn('Message', 'Ready', 'message', 1),
    age,
  ],
} satisfies Kind;

export const backupPolicy = {
  kind: 'BackupPolicy',
  plural: 'backuppolicies',
  shortName: 'bpol',
  nameLength: 52,
  description: 'What to protect, when, how long to keep it, and how often to prove it.',
  documentation: backupPolicyDocumentation,
  spec: backupPolicySpec,
  status: backupPolicyStatus,
  columns: [
    conditionColumn('Ready', 'Ready', 'status'),
    conditionColumn('Reason', 'Ready', 'reason'),
    column('Last Success', '.status.lastSuccessfulRun.completionTime', 'date'),
    column('Last Failure', '.status.lastFailedRun.completionTime', 'date'),
    conditionColumn('Archiving', 'ContinuousArchiving', 'reason'),
    conditionColumn('Verified', 'Verified', 'status'),
    column('Restorable From', '.status.restorable.earliestTime'),
    column('Restorable To', '.status.restorable.latestTime'),
    column('Next', '.status.nextScheduleTime', 'string', 1),
    column('Suspended', '.spec.suspend', 'boolean', 1),
    conditionColumn('Message', 'Ready', 'message', 1),
    age,
  ],
} satisfies Kind;

export const backupRun = {
  kind: 'BackupRun',
  plural: 'backupruns',
  shortName: 'brun',
  nameLength: 63,
  description: 'One backup: made by a schedule, by a person, or re-created from what a repository holds.',
  documentation: backupRunDocumentation,
  spec: backupRunSpec,
  status: backupRunStatus,
  columns: [
    column('Policy', '.spec.policyRef.name'),
    column('Method', '.spec.method'),
    column('Type', '.status.type'),
    column('Phase', '.status.phase'),
    column('Done', '.status.progress.percent', 'integer'),
    column('Stored', '.status.size.stored'),
    column('Completed', '.status.completionTime', 'date'),
    conditionColumn('Verified', 'Verified', 'status', 1),
    column('Backup ID', '.status.backupID', 'string', 1),
    column('Parent', '.status.parentBackupID', 'string', 1),
    conditionColumn('Reason', 'Succeeded', 'reason', 1),
    column('Error', '.status.error'),
    age,
  ],
  selectableFields: ['.spec.policyRef.name', '.status.phase'],
} satisfies Kind;

export const restoreRequest = {
  kind: 'RestoreRequest',
  plural: 'restorerequests',
  shortName: 'rreq',
  nameLength: 63,
  description:
    "Brings back what one backup holds: databases, schemas or tables of a dump, or a whole server at a base backup's end.",
  documentation: restoreRequestDocumentation,
  spec: restoreRequestSpec,
  status: restoreRequestStatus,
  columns: [
    column('Phase', '.status.phase'),
    column('Step', '.status.progress.step'),
    column('Backup ID', '.status.backupID'),
    column('Objects', '.status.restored.objects', 'integer'),
    column('Errors', '.status.restored.errors', 'integer'),
    column('Completed', '.status.completionTime', 'date'),
    conditionColumn('Reason', 'Succeeded', 'reason', 1),
    column('Error', '.status.error'),
    age,
  ],
} satisfies Kind;

export const pitrRecovery = {
  kind: 'PitrRecovery',
  plural: 'pitrrecoveries',
  shortName: 'pitr',
  nameLength: 52,
  description: 'A server as it was at one moment: base backup, then WAL up to the target.',
  documentation: pitrRecoveryDocumentation,
  spec: pitrRecoverySpec,
  status: pitrRecoveryStatus,
  columns: [
    column('Phase', '.status.phase'),
    column('Target', '.status.plan.targetTime'),
    column('Reached', '.status.reached.time'),
    column('Service', '.status.endpoint.service'),
    column('Seconds', '.status.measured.rtoSeconds', 'integer', 1),
    conditionColumn('Reason', 'Succeeded', 'reason', 1),
    column('Error', '.status.error'),
    age,
  ],
} satisfies Kind;

export const kinds: readonly Kind[] = [backupRepository, backupPolicy, backupRun, restoreRequest, pitrRecovery];

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface Resource<Spec, Status> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: Spec;
  readonly status?: Status;
}

export type BackupRepository = Resource<BackupRepositorySpec, BackupRepositoryStatus>;
export type BackupPolicy = Resource<BackupPolicySpec, BackupPolicyStatus>;
export type BackupRun = Resource<BackupRunSpec, BackupRunStatus>;
export type RestoreRequest = Resource<RestoreRequestSpec, RestoreRequestStatus>;
export type PitrRecovery = Resource<PitrRecoverySpec, PitrRecoveryStatus>;
