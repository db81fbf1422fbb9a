import { z } from 'zod';
import { backup, deletion, runHooks } from './task/backup.ts';
import type { hookWork, repository, server } from './task/parts.ts';
import { planRecovery, recover } from './task/recovery.ts';
import { restore } from './task/restore.ts';
import { copy, expire, probe, sync } from './task/upkeep.ts';
import { archive, watchWal } from './task/wal.ts';

/**
 * What the operator asks of an agent. It travels as JSON in the environment variable TIDEMARK_TASK of the Job's pod, so
 * that a Job runs to its end without the operator and without reading any object. It holds no secret: those are mounted
 * (domain/mounts.ts), and the names of the Secrets are here for messages only.
 */
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
