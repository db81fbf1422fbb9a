import { terminal } from '../failure.ts';

/** The first major whose servers make increments. */
const since = 17;
/** The first minor of a major whose increments may be relied on. Later majors were released with these corrections. */
const soundSince: Readonly<Record<number, number>> = { 17: 13, 18: 7 };

/**
 * Whether increments that this server makes are known to come out wrong: rows of before an update come back after a
 * restore, since WAL summaries were read wrongly at a promotion and at relations that were truncated and filled in bulk
 * (PostgreSQL 18.7, release notes: "existing incremental backup files should not be trusted"). `version` as SHOW
 * server_version says it: 17.12.
 */
export function hasFaultyIncrements(version: string): boolean {
  const [major = 0, minor] = version.split('.').map((part) => Number.parseInt(part, 10));
  const sound = soundSince[major];
  return sound !== undefined && (minor === undefined || Number.isNaN(minor) || minor < sound);
}

/** Throws where this server cannot make increments, or makes bad ones and nobody has allowed that. */
export function requireIncrements(version: string, { allowFaulty }: { readonly allowFaulty: boolean }): void {
  const major = Number.parseInt(version, 10);
  if (major < since) {
    throw terminal(
      'IncrementsUnsupported',
      `The server is PostgreSQL ${version}, and increments need ${since} or later. Set type: Full in the schedule or in a new BackupRun.`,
    );
  }
  if (allowFaulty || !hasFaultyIncrements(version)) return;
  throw terminal(
    'FaultyIncrements',
    `${faultWords(version)} No backup was made. Update the server to ${soundVersionOf(version)} or later; until then set type: Full. To have increments all the same, set physical.allowFaultyIncrementals: true in the BackupPolicy, and test what they restore.`,
  );
}

/** What is wrong with increments of this version, for a person. */
export function faultWords(version: string): string {
  return `PostgreSQL ${version} is known to make increments that restore wrong data (see the release notes of ${soundVersionOf(version)}).`;
}

function soundVersionOf(version: string): string {
  const major = Number.parseInt(version, 10);
  return `${major}.${soundSince[major] ?? 0}`;
}
