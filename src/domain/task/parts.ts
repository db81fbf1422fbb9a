import { z } from 'zod';
import { backupRepositorySpec } from '../../api/backup-repository.ts';
import { hooks } from '../../api/hooks.ts';
import { tls, workloadRef } from '../../api/postgres-server.ts';

export const server = z.object({
  /** Candidates in order: the pods of a workload, or the one host. The agent takes the first that has the wanted role. */
  hosts: z.array(z.string()).min(1),
  port: z.int(),
  database: z.string(),
  role: z.enum(['Primary', 'PreferStandby']),
  tls: tls.optional(),
  credentialsSecretName: z.string(),
});

export const repository = z.object({ name: z.string(), spec: backupRepositorySpec });

export const owner = z.object({ name: z.string(), uid: z.string() });

/** What is done before and after a backup. */
export const hookWork = z.object({
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
export const verdict = z.object({
  /** The policy leaves out parts of the databases, which may lack what they stand on. */
  partial: z.boolean(),
});
