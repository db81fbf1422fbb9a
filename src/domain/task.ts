import { z } from 'zod';
import { assertion, compression, physical, walArchiving } from '../api/backup-policy.ts';
import { backupRepositorySpec } from '../api/backup-repository.ts';
import { catalogueStatus } from '../api/catalogue.ts';
import { checks } from '../api/checks.ts';
import { hookPhase, hooks } from '../api/hooks.ts';
import { logical } from '../api/logical.ts';
import { extracted, recoveryPlan, recoveryTarget } from '../api/pitr-recovery.ts';
import { tls, workloadRef } from '../api/postgres-server.ts';
import { backupID, restoreRequestSpec } from '../api/restore-request.ts';
import { retention } from '../api/retention.ts';

/**
 * What the operator asks of an agent. It travels as JSON in the environment variable TIDEMARK_TASK of the Job's pod, so
 * that a Job runs to its end without the operator and without reading any object. It holds no secret: those are mounted
 * (domain/mounts.ts), and the names of the Secrets are here for messages only.
 */
const server = z.object({
  /** Candidates in order: the pods of a workload, or the one host. The agent takes the first that has the wanted role. */
  hosts: z.array(z.string()).min(1),
  port: z.int(),
  database: z.string(),
  role: z.enum(['Primary', 'PreferStandby']),
  tls: tls.optional(),
  credentialsSecretName: z.string(),
});

const repository = z.object({ name: z.string(), spec: backupRepositorySpec });

const owner = z.object({ name: z.string(), uid: z.string() });

/** What is done before and after a backup. */
const hookWork = z.object({
  ...hooks.shape,
  /** Where commands run, under whose account, and by which role that account may: in messages, they are a command. */
  exec: z
    .object({
      workload: workloadRef,
      container: z.string().optional(),
      account: z.string(),
      roleKind: z.enum(['ClusterRole', 'Role']),
    })
    .optional(),
});

/** Of a verification: what it finds out of the backup is written beside its manifest. */
const verdict = z.object({
  /** The policy leaves out parts of the databases, which may lack what they stand on. */
  partial: z.boolean(),
});

const backup = z.object({
  action: z.literal('backup'),
  namespace: z.string(),
  policy: owner,
  schedule: z.string().optional(),
  method: z.enum(['Logical', 'Physical']),
  /** What is asked for: an increment without a parent becomes a full backup. */
  type: z.enum(['Full', 'Differential', 'Incremental']),
  server,
  repositories: z.array(repository).min(1),
  logical,
  physical,
  compression,
  /** activeDeadlineSeconds of the Job: after it, what an attempt left without a manifest may be swept. */
  deadlineSeconds: z.int(),
  hooks: hookWork.optional(),
});

/** Of a run that has ended: what its agent has not done any more of the hooks that come after it. */
const runHooks = z.object({
  action: z.literal('hooks'),
  namespace: z.string(),
  policy: owner,
  run: owner,
  schedule: z.string().optional(),
  method: z.enum(['Logical', 'Physical']),
  type: z.enum(['Full', 'Differential', 'Incremental']),
  phase: hookPhase,
  /** Why it ended so, for who is told. */
  reason: z.string(),
  error: z.string(),
  /** By their names; the others of the list were run, or are for other ends. */
  outstanding: z.array(z.string()),
  /** To find the pod that commands run in, where none is known from before the backup. */
  server: server.optional(),
  hooks: hookWork,
});

const restore = z.object({
  action: z.literal('restore'),
  namespace: z.string(),
  request: owner,
  repository,
  /** Those that have the same backup, read where the first cannot be. */
  others: z.array(repository).optional(),
  /** Where to look. Known from a BackupRun, or, in a bare cluster, only the ID: then the agent searches for it. */
  backup: z.object({
    backupID,
    path: z.string().optional(),
    /** Of the manifest, as the BackupRun has it: who may write to the repository cannot put another backup in its place. */
    checksum: z.string().optional(),
    /** Of the manifests of the others, where they are encrypted otherwise. */
    otherChecksums: z.array(z.string()).optional(),
  }),
  server,
  restore: z.object({
    databases: restoreRequestSpec.shape.databases,
    globals: restoreRequestSpec.shape.globals,
    jobs: restoreRequestSpec.shape.jobs,
    noOwner: restoreRequestSpec.shape.noOwner,
    noPrivileges: restoreRequestSpec.shape.noPrivileges,
    role: restoreRequestSpec.shape.role,
    exitOnError: restoreRequestSpec.shape.exitOnError,
    assertions: z.array(assertion),
    dryRun: restoreRequestSpec.shape.dryRun,
  }),
  /** Into an empty server beside the agent in the same pod, made for this; then `server` says nothing. */
  ephemeral: z.object({ dataDirectory: z.string(), checks: checks.optional() }).optional(),
  verdict: verdict.optional(),
});

const probe = z.object({
  action: z.literal('probe'),
  namespace: z.string(),
  repositoryObject: owner.extend({ generation: z.int() }),
  repository,
});

/** Removes one stored backup: the manifest first, then the objects it names. */
const deletion = z.object({
  action: z.literal('delete'),
  namespace: z.string(),
  run: owner,
  repositories: z.array(repository).min(1),
  backup: z.object({ backupID, path: z.string() }),
});

/**
 * The sidecar of a target's pod: archives what archive_command puts into the spool. It runs under the pod's own account,
 * so it reports nothing to the API server: what it knows stands in the repository, and its refusals beside the spool.
 */
const archive = z.object({
  action: z.literal('archive'),
  namespace: z.string(),
  policy: owner,
  repositories: z.array(repository).min(1),
  /** Where it is known: WAL of any other server is refused. */
  systemIdentifier: z.string().optional(),
  maxParallel: walArchiving.shape.maxParallel,
  minRepositories: walArchiving.shape.minRepositories,
  compression,
});

/** A Deployment's pod for each policy that archives: sets the server up, receives WAL (Stream), and watches the archive. */
const watchWal = z.object({
  action: z.literal('watch-wal'),
  namespace: z.string(),
  policy: owner,
  /** None: take back what was set. */
  mode: walArchiving.shape.mode,
  server,
  repositories: z.array(repository).min(1),
  systemIdentifier: z.string().optional(),
  archiveTimeoutSeconds: walArchiving.shape.archiveTimeoutSeconds,
  maxParallel: walArchiving.shape.maxParallel,
  minRepositories: walArchiving.shape.minRepositories,
  compression,
  /** Archive: increments are asked for, which need summarize_wal. */
  summarizeWal: z.boolean().optional(),
  /** Every how many seconds a heartbeat is written; absent: none. */
  heartbeatSeconds: z.int().positive().optional(),
  /** Stream: the physical replication slot. */
  slot: z.string(),
});

/** Where the backups and the WAL are that a recovery reads. */
const recoverySource = z.object({
  repository,
  /** Those of the same policy, read where the first cannot be. */
  others: z.array(repository).optional(),
  /** Both or none: none where the backup's ID is all that is known. */
  namespace: z.string().optional(),
  policy: z.string().optional(),
  systemIdentifier: z.string().optional(),
});

/** Pre-flight: reads the repository, touches nothing else, and writes status.plan. */
const planRecovery = z.object({
  action: z.literal('plan-recovery'),
  namespace: z.string(),
  recovery: owner,
  source: recoverySource,
  target: recoveryTarget,
  /** Bytes of the volume that is to hold it; absent where it is not known. */
  capacity: z.string().optional(),
  /** The data directory's place where the source's workload says it; default: the backup's. */
  dataDirectory: z.string().optional(),
  /** Backups that failed their verification: taken where nothing else leads to the target. */
  passOver: z.array(z.string()).optional(),
  /** It is done to measure what a disaster would take. */
  drill: z.boolean().optional(),
  /** What the plan's steps end with: where the server goes. */
  destination: z.string(),
});

const place = z.object({
  /** Absolute, on a volume that both containers of the pod have. */
  dataDirectory: z.string(),
  /** Where the server has that directory afterwards, if by another path: a folder of the volume is mounted there. */
  servedDirectory: z.string().optional(),
  /** InPlace: the directory that is there becomes a sibling with this name, and comes back where the recovery fails. */
  oldDataDirectory: z.string().optional(),
  /** InPlace: false: what was set aside is removed when the recovery is complete. */
  keepOldData: z.boolean().optional(),
});

/** Lays the base backup, serves WAL to the server beside it, watches it to the target, questions it, has it shut down. */
const recover = z.object({
  action: z.literal('recover'),
  namespace: z.string(),
  recovery: owner,
  source: recoverySource,
  target: recoveryTarget,
  plan: recoveryPlan,
  place,
  assertions: z.array(assertion),
  checks: checks.optional(),
  /** It is removed in the end: nothing of it goes on, least of all to an archive. */
  ephemeral: z.boolean().optional(),
  verdict: verdict.optional(),
  /** When somebody asked for the recovery: what it took begins there. */
  askedTime: z.string().optional(),
  /** Of a drill: seconds of the source's WAL that the archive lacked then; absent where nobody has looked. */
  lagSeconds: z.int().optional(),
  extract: z.object({ databases: z.array(extracted), server }).optional(),
  /** Stay a standby of this server: the data directory is handed over with standby.signal. */
  standbyOf: z.object({ host: z.string(), port: z.int(), credentialsSecretName: z.string() }).optional(),
});

/** Plans what retention deletes of one policy's backups and WAL, publishes it, and deletes what was published long enough ago. */
const expire = z.object({
  action: z.literal('expire'),
  namespace: z.string(),
  policy: owner.extend({ generation: z.int() }),
  repositories: z.array(repository).min(1),
  retention,
  timeZones: z.object({ Logical: z.string(), Physical: z.string() }),
  /** The IDs of the backups whose BackupRuns say hold. */
  held: z.array(z.string()),
  /** Of those that failed their verification: nothing rests on them. */
  failed: z.array(z.string()).optional(),
  /** By the operator's clock. */
  issuedTime: z.string(),
});

/**
 * Copies what one repository lacks out of others, as it is stored or encrypted anew. The operator makes it for a run that
 * not every repository has; a person by hand (docs/copy-backups.md).
 */
const copy = z.object({
  action: z.literal('copy'),
  /** Of the Job. */
  namespace: z.string(),
  /** The BackupRun that is told how it went; absent: nobody is, but the log. */
  run: owner.optional(),
  /** The first is written to; the others are read, in their order. */
  repositories: z.array(repository).min(2),
  /** Where in the repositories: all that lies under it, unless `backups` names some. */
  source: z.object({ namespace: z.string(), policy: z.string(), systemIdentifier: z.string().optional() }),
  backups: z.array(backupID).optional(),
  wal: z.boolean(),
  /** activeDeadlineSeconds of the Job. */
  deadlineSeconds: z.int().positive(),
});

/** Makes known what a repository holds: BackupRuns for its backups, and what became of those of the BackupRuns. */
const sync = z.object({
  action: z.literal('sync-catalogue'),
  namespace: z.string(),
  repositoryObject: owner.extend({ generation: z.int() }),
  repository,
  /** As the repository has them. */
  namespaces: z.array(z.string()).min(1),
  /** How many completed runs the policies of this namespace want to see; a policy that is not here has no limit. */
  limits: z.array(z.object({ policy: z.string(), succeeded: z.int() })),
  /** Deep: every object of the backups is listed, never the WAL. Shallow: their folders alone. */
  depth: z.enum(['Deep', 'Shallow']),
  /** All: those too whose BackupRun was deleted here. */
  scope: z.enum(['New', 'All']),
  /** A person has said that a repository without any backup is as it should be. */
  mayBeEmpty: z.boolean(),
  /** The value of the annotation that asked for it. */
  requested: z.string().optional(),
  /** Of the repository's place: what is known of another one does not count. */
  place: z.string(),
  previous: catalogueStatus.optional(),
});

export const task = z.discriminatedUnion('action', [
  copy,
  backup,
  runHooks,
  restore,
  probe,
  deletion,
  expire,
  sync,
  archive,
  watchWal,
  planRecovery,
  recover,
]);

export type Task = z.output<typeof task>;
export type BackupTask = z.output<typeof backup>;
export type HookWork = z.output<typeof hookWork>;
export type HooksTask = z.output<typeof runHooks>;
export type RestoreTask = z.output<typeof restore>;
export type ProbeTask = z.output<typeof probe>;
export type DeleteTask = z.output<typeof deletion>;
export type ExpireTask = z.output<typeof expire>;
export type SyncTask = z.output<typeof sync>;
export type ServerTask = z.output<typeof server>;
export type ArchiveTask = z.output<typeof archive>;
export type WatchWalTask = z.output<typeof watchWal>;
export type PlanRecoveryTask = z.output<typeof planRecovery>;
export type RecoverTask = z.output<typeof recover>;
export type CopyTask = z.output<typeof copy>;
export type RepositoryTask = z.output<typeof repository>;

/** The environment of an agent's container, by the downward API where it is about the pod itself. */
export const agentEnvironment = {
  task: 'TIDEMARK_TASK',
  /** The Job's name: the name of the BackupRun that records a scheduled Job. */
  jobName: 'TIDEMARK_JOB_NAME',
  /** The BackupRun or RestoreRequest that the Job belongs to; absent for a scheduled Job, whose run has the Job's name. */
  runName: 'TIDEMARK_RUN_NAME',
  podName: 'TIDEMARK_POD_NAME',
  podUID: 'TIDEMARK_POD_UID',
} as const;

/** Exit codes by which the Job decides (podFailurePolicy): 3 ends it; 1 and 4 are tried again up to backoffLimit. */
export const agentExit = { succeeded: 0, retryable: 1, terminal: 3, cancelled: 4 } as const;
