import { z } from 'zod';

/** docs/repository-format.md describes every field; a reader must refuse a `format` it does not know. */
export const startedFormat = 1;

/** What an attempt writes into its backup's folder before anything else: who writes here, since when, until when. */
export const started = z.object({
  format: z.literal(startedFormat),
  backupID: z.string(),
  /** The BackupRun, by name and UID; the UID is missing where the run was not yet recorded when the attempt began. */
  run: z.string(),
  runUID: z.string().optional(),
  jobName: z.string(),
  /** The pod of this attempt: a Job's second attempt has another. */
  pod: z.string(),
  startTime: z.iso.datetime(),
  /** activeDeadlineSeconds of the Job: the attempt cannot live longer. */
  deadlineSeconds: z.int().positive(),
});

export type Started = z.output<typeof started>;
