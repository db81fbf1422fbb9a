import { createHash } from 'node:crypto';

/** A CronJob's name: its Jobs add 11 characters, and a Job's name is a label of 63. */
const cronJobLimit = 52;
const jobLimit = 63;

/**
 * The policy's name and the schedule's. A schedule with a hyphen of its own gets a digest: `a-b` with `c` and `a` with
 * `b-c` would be one CronJob otherwise.
 */
export function cronJobName(policy: string, schedule: string): string {
  return bounded([policy, schedule], cronJobLimit, schedule.includes('-'));
}

/** A PitrRecovery's name: its Jobs add a word, and a Job's name is a label. */
const recoveryLimit = 52;

/** The PitrRecovery that does what a RestoreRequest of a Physical backup asks. */
export function recoveryName(restore: string): string {
  return bounded([restore], recoveryLimit, false);
}

/** Its Job's name adds nothing, and a second try a number. */
const dueRunLimit = 58;

/** The BackupRun that a policy's archive asks for by itself; `cause` is a label's value. */
export function dueRunName(policy: string, cause: string): string {
  return bounded([policy, cause], dueRunLimit, false);
}

/** The PitrRecovery or RestoreRequest that verifies a policy's backups; `minute` says the time of the schedule. */
export function verificationName(policy: string, minute: string): string {
  return bounded([policy, 'verify', minute], recoveryLimit, false);
}

/** A BackupRun that is re-created while another one has its name; `path` is where its backup lies. */
export function derivedRunName(run: string, path: string): string {
  const digest = createHash('sha256').update(path).digest('hex').slice(0, digestLength);
  return `${run.slice(0, jobLimit - digestLength - 1).replace(/[-.]+$/, '')}-${digest}`;
}

const prefixes = ['restore', 'probe', 'delete', 'expire', 'copy', 'catalogue', 'hooks'] as const;

/** The Job of a BackupRun, RestoreRequest or another object of Tidemark's: deterministic, so that it is never made twice. */
export function jobName(prefix: (typeof prefixes)[number] | undefined, name: string, suffix = ''): string {
  const parts = [prefix, name, suffix].filter((part) => part !== undefined && part !== '');
  // A BackupRun that is called restore-x must not take the Job of the RestoreRequest x.
  const ambiguous = prefix === undefined && prefixes.some((each) => name.startsWith(`${each}-`));
  return bounded(parts, jobLimit, ambiguous);
}

const digestLength = 10;
const digestLike = new RegExp(`-[0-9a-f]{${digestLength}}$`);

/**
 * The parts themselves where they fit and can be meant by nothing else; else their beginning and a digest of the whole,
 * so that two names stay two. Dots, which a pod's host name may not have, are replaced, and that makes a digest too.
 */
function bounded(parts: readonly (string | undefined)[], limit: number, ambiguous: boolean): string {
  const plain = parts.join('-');
  if (!ambiguous && plain.length <= limit && !plain.includes('.') && !digestLike.test(plain)) return plain;
  const digest = createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, digestLength);
  const beginning = plain.replaceAll('.', '-').slice(0, limit - digestLength - 1);
  return `${beginning.replace(/-+$/, '')}-${digest}`;
}
