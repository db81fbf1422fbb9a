import { z } from 'zod';
import { assertion } from '../../api/backup-policy.ts';
import { checks } from '../../api/checks.ts';
import { extracted, recoveryPlan, recoveryTarget } from '../../api/pitr-recovery.ts';
import { owner, repository, server, verdict } from './parts.ts';

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
export const planRecovery = z.object({
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
export const recover = z.object({
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
