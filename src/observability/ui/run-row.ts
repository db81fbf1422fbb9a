import type { BackupRun } from '../../api/kinds.ts';
import { findCondition } from '../../domain/conditions.ts';
import { bytes, duration, secondsBetween } from '../../domain/display/quantities.ts';

/** One backup, in words. What is undefined is not known. */
export interface RunRow {
  readonly name: string;
  readonly phase: string;
  readonly percent: number | undefined;
  readonly held: boolean;
  readonly method: string;
  readonly type: string | undefined;
  readonly started: string;
  readonly took: string | undefined;
  readonly source: string | undefined;
  readonly stored: string | undefined;
  readonly ratio: string | undefined;
  readonly repositories: readonly { readonly name: string; readonly state: string; readonly why: string | undefined }[];
  /** Bad: it was restored, and found damaged. */
  readonly verified: { readonly time: string } | 'Bad' | undefined;
  readonly message: string | undefined;
}

export function runRow(run: BackupRun): RunRow {
  const { metadata, spec, status } = run;
  const verdict = findCondition(status?.conditions, 'Verified');
  const seconds = secondsBetween(status?.startTime, status?.completionTime);
  const type = status?.type ?? spec.type;
  const verifiedTime = status?.verified?.time;
  return {
    name: metadata.name,
    phase: status?.phase ?? 'Pending',
    percent: status?.phase === 'Running' ? status.progress?.percent : undefined,
    held: spec.hold,
    method: spec.method,
    type: spec.method === 'Physical' ? type.toLowerCase() : undefined,
    started: status?.startTime ?? metadata.creationTimestamp,
    took: seconds === undefined ? undefined : duration(seconds),
    source: bytes(status?.size?.source),
    stored: bytes(status?.size?.stored),
    ratio: status?.size?.compressionRatio,
    repositories: (status?.repositories ?? []).map(({ name, state, reason, message, lost }) => ({
      name,
      state: lost === true ? 'Lost' : state,
      why: state === 'Stored' ? undefined : message || reason,
    })),
    verified: verdict?.status === 'False' ? 'Bad' : verifiedTime === undefined ? undefined : { time: verifiedTime },
    message: messageOf(run, verdict?.status === 'False' ? verdict.message : undefined),
  };
}

function messageOf({ spec, status }: BackupRun, bad: string | undefined): string | undefined {
  const forced = status?.type !== undefined && status.type !== spec.type ? status.forcedFull?.message : undefined;
  const said = [bad, status?.error || undefined, forced].filter((part) => part !== undefined);
  return said.length === 0 ? undefined : said.join(' ');
}
