import type { BackupRunSpec, BackupRunStatus } from '../../api/backup-run.ts';
import { apiVersion, backupRun } from '../../api/kinds.ts';
import { labelValue } from '../label-value.ts';
import { annotations, labels, managedBy } from '../labels.ts';
import type { Manifest } from '../manifest.ts';
import { derivedRunName } from '../naming.ts';

/** A type, not an interface: it is to fit wherever any object of the API is taken. */
export type RunObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: BackupRunSpec;
};

/** `found` is missing where what was found out cannot be read. */
export interface StoredVerdict {
  readonly outcome: 'Good' | 'Bad';
  readonly found:
    | {
        readonly time: string;
        readonly by: string;
        readonly restoreSeconds?: number | undefined;
        readonly reason?: string | undefined;
        readonly message?: string | undefined;
      }
    | undefined;
}

/** One backup as its repository has it. */
export interface StoredBackup {
  readonly manifest: Manifest;
  /** Under the repository's prefix. */
  readonly path: string;
  /** Of the manifest. */
  readonly checksum: string;
  readonly held: boolean;
  /** What a verification has found out, as the repository says. */
  readonly verdict?: StoredVerdict | undefined;
  /** The BackupRepository. */
  readonly repository: string;
  /** Where the BackupRun is to be. */
  readonly namespace: string;
}

const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Of a backup that says neither: the second name tells it from others. */
const nameless = 'nameless-backup';

/** The names for it: its own, and one that nobody else can have. What is no name in Kubernetes is none of the repository's. */
export function runNames({ manifest: { run, backupID }, path }: Pick<StoredBackup, 'manifest' | 'path'>) {
  const own = [run, backupID.toLowerCase()].find((name) => objectName.test(name) && name.length <= 63) ?? nameless;
  return [own, derivedRunName(own, path)] as const;
}

/** The BackupRun that stands for a backup which this cluster did not make, or has forgotten. */
export function runOfManifest(backup: StoredBackup, name: string): RunObject {
  const { manifest, path, held, repository, namespace } = backup;
  const { policy, method, type } = manifest;
  return {
    apiVersion,
    kind: backupRun.kind,
    metadata: {
      name,
      namespace,
      labels: {
        [labels.policy]: labelValue(policy),
        [labels.catalogue]: labelValue(repository),
        ...(manifest.namespace === namespace ? {} : { [labels.origin]: labelValue(manifest.namespace) }),
        [labels.managedBy]: managedBy,
      },
      annotations: { [annotations.path]: path },
    },
    spec: { policyRef: { name: policy }, method, type, hold: held, cancel: false, deletionPolicy: 'Retain' },
  };
}

const databasesShown = 1024;
const messageShown = 1024;

/** What the agent that made the backup told, in so far as the manifest still knows it. */
export function statusOfManifest(backup: StoredBackup): BackupRunStatus {
  const { manifest, checksum } = backup;
  const { backupID, server, size, startTime, completionTime } = manifest;
  const { version, systemIdentifier, timeline, role } = server;
  const parent = parentOf(manifest);
  return {
    backupID,
    checksum,
    size: {
      source: String(size.source),
      stored: String(size.stored),
      ...(size.stored === 0 ? {} : { compressionRatio: (size.source / size.stored).toFixed(2) }),
    },
    server: { version, systemIdentifier, timeline, role },
    ...(parent === undefined ? {} : { parentBackupID: parent }),
    repositories: [placeIn(backup)],
    ...(manifest.method === 'Physical' ? walOf(manifest) : databasesOf(manifest)),
    ...verifiedOf(backup),
    report: { ...verdictOf(backup), startTime: seconds(startTime), completionTime: seconds(completionTime) },
  };
}

function verifiedOf({ verdict, repository }: StoredBackup): Pick<BackupRunStatus, 'verified' | 'conditions'> {
  if (verdict === undefined) return {};
  const { outcome, found } = verdict;
  const { time, restoreSeconds, reason, message } = found ?? {};
  const by = (found?.by ?? 'a verification that nobody can name any more').slice(0, 253);
  const isGood = outcome === 'Good';
  const where = `as the BackupRepository ${repository} says`;
  const condition = {
    type: 'Verified',
    status: isGood ? ('True' as const) : ('False' as const),
    reason: isGood
      ? 'Verified'
      : reason !== undefined && /^[A-Za-z]{1,128}$/.test(reason)
        ? reason
        : 'VerificationFailed',
    message: isGood
      ? `It was restored and found good by ${by}, ${where}`
      : `It was found bad by ${by}, ${where}, and nothing rests on it any more: ${message ?? 'the reason cannot be read'}`.slice(
          0,
          4096,
        ),
    lastTransitionTime: seconds(time ?? new Date(0).toISOString()),
    observedGeneration: 1,
  };
  const verified = {
    ...(time === undefined ? {} : { time: seconds(time) }),
    by,
    ...(restoreSeconds === undefined ? {} : { restoreSeconds }),
  };
  return { conditions: [condition], ...(isGood ? { verified } : {}) };
}

/** The entry of status.repositories. */
export function placeIn({ repository, path, held }: Pick<StoredBackup, 'repository' | 'path' | 'held'>) {
  return { name: repository, state: 'Stored' as const, path, ...(held ? { held } : {}) };
}

function verdictOf({ manifest, repository }: StoredBackup) {
  const failed = manifest.method === 'Logical' ? (manifest.logical.failed ?? []) : [];
  if (failed.length === 0)
    return {
      outcome: 'Succeeded' as const,
      reason: 'InRepository',
      message: `The BackupRepository ${repository} holds it; its BackupRun was re-created from the manifest.`,
    };
  const names = failed.slice(0, 20).map(({ name }) => JSON.stringify(name));
  return {
    outcome: 'Failed' as const,
    reason: 'DatabasesFailed',
    message: `The BackupRepository ${repository} holds it without ${names.join(', ')}; those that are in it can be restored. Use another backup for the others.`,
  };
}

function walOf({ physical }: Extract<Manifest, { readonly method: 'Physical' }>) {
  const { beginLSN, endLSN, beginSegment, endSegment } = physical;
  return { wal: { beginLSN, endLSN, beginSegment, endSegment } };
}

function databasesOf({ logical }: Extract<Manifest, { readonly method: 'Logical' }>) {
  const { globals, failed = [] } = logical;
  const missing = failed.map(({ name, message }) => ({
    name,
    state: 'Failed' as const,
    message: message.slice(0, messageShown),
  }));
  const stored = logical.databases.map(({ name, bytes, encoding, objects, contents }) => ({
    name,
    bytes: String(bytes),
    storedBytes: String([...objects, contents].reduce((sum, each) => sum + each.size, 0)),
    encoding,
    state: 'Stored' as const,
  }));
  return {
    databases: [...missing, ...stored].slice(0, databasesShown),
    ...(globals === undefined
      ? {}
      : { globals: { storedBytes: String(globals.size), withPasswords: globals.withPasswords } }),
  };
}

/** A full backup has none. */
function parentOf(manifest: Manifest & { readonly parentBackupID?: unknown }): string | undefined {
  const { parentBackupID } = manifest;
  return typeof parentBackupID === 'string' && parentBackupID !== '' ? parentBackupID : undefined;
}

/** As Kubernetes writes times. */
function seconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z');
}
