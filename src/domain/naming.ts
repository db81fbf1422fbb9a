import { createHash } from 'node:crypto';

/** A CronJob's name: its Jobs add 11 characters, and a Job's name is a label of 63. */
const cronJobLimit = 52;
const jobLimit = 63;

export function cronJobName(policy: string, schedule: string): string {
  return bounded(`${policy}-${schedule}`.replaceAll('.', '-'), cronJobLimit, `${policy}\0${schedule}`);
}

/** The Job of a BackupRun or RestoreRequest: deterministic, so that it is never made twice. */
export function jobName(prefix: 'restore' | 'probe' | 'delete' | undefined, name: string, suffix = ''): string {
  const parts = [prefix, name, suffix].filter((part) => part !== undefined && part !== '');
  return bounded(parts.join('-').replaceAll('.', '-'), jobLimit, parts.join('\0'));
}

/**
 * The name itself where it fits, else its beginning and a digest of the whole, so that two long names stay two. A name
 * that had to be changed otherwise (dots, which a pod's host name may not have) gets the digest too.
 */
function bounded(name: string, limit: number, identity = name): string {
  const changed = identity !== name && identity.includes('.');
  if (name.length <= limit && !changed) return name;
  const digest = createHash('sha256').update(identity).digest('hex').slice(0, 10);
  return `${name.slice(0, limit - digest.length - 1).replace(/-+$/, '')}-${digest}`;
}
