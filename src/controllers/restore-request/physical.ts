import {
  type BackupPolicy,
  type BackupRun,
  type PitrRecovery,
  pitrRecovery,
  type RestoreRequest,
} from '../../api/kinds.ts';
import { isCatalogued, isForeign } from '../../domain/catalogue/catalogued-run.ts';
import { findCondition } from '../../domain/conditions.ts';
import type { Fate } from '../../domain/job-state.ts';
import { labelValue } from '../../domain/label-value.ts';
import { labels } from '../../domain/labels.ts';
import { parseBackupPath } from '../../domain/layout.ts';
import { recoveryName } from '../../domain/naming.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import { ownerOf } from '../jobs/build-job.ts';
import { isRefusal, missing, type Refusal, refused } from '../refusal.ts';
import { eventsOf, hasEnded, ownedRunStatus, type RunStatus, refusedFate, statusOf } from '../run-progress.ts';
import { type Lookup, newestOf, resolveSource, wordOnLatest } from './source.ts';

/** The operator's part of the status: no agent of its own writes what the recovery's has found. */
export const ownedPhysicalStatus = [...ownedRunStatus, 'backupID', 'plan', 'assertions', 'checks'] as const;

export interface PhysicalStatus extends RunStatus {
  readonly backupID?: string;
  readonly plan?: readonly { readonly step: string }[];
  readonly assertions?: NonNullable<PitrRecovery['status']>['assertions'];
  readonly checks?: NonNullable<PitrRecovery['status']>['checks'];
}

export interface PhysicalDecision {
  readonly create: Desired | undefined;
  readonly cancel: boolean;
  readonly status: PhysicalStatus | undefined;
  readonly events: readonly EventNote[];
  readonly lookAgainMilliseconds: number | undefined;
}

/** Whether a request is for a whole server: then it is a recovery to the backup's end. */
export function isPhysical({ spec }: RestoreRequest, lookup: Pick<Lookup, 'run'>): boolean {
  const { backupRunRef, latest, repository } = spec.source;
  if (backupRunRef !== undefined) return lookup.run(backupRunRef.name)?.spec.method === 'Physical';
  return latest?.method === 'Physical' || repository?.backupID.endsWith('-physical-full') === true;
}

/** The request ends as its recovery ends; pure. */
export function decidePhysical(
  request: RestoreRequest,
  child: PitrRecovery | undefined,
  lookup: Lookup,
  now: Date,
): PhysicalDecision {
  if (hasEnded(request) || request.metadata.deletionTimestamp !== undefined) return nothing;
  if (child === undefined && request.spec.cancel)
    return next(request, { state: 'Cancelled', reason: 'Cancelled', message: 'It was cancelled before it began' }, now);
  if (child === undefined) return begin(request, lookup, now);
  if (child.metadata.ownerReferences?.some(({ uid }) => uid === request.metadata.uid) !== true)
    return refuse(request, foreignChild(child), now);
  const decision = next(request, fateOfChild(child), now, child);
  return { ...decision, cancel: request.spec.cancel && !child.spec.cancel && !hasEnded(child) };
}

const nothing: PhysicalDecision = {
  create: undefined,
  cancel: false,
  status: undefined,
  events: [],
  lookAgainMilliseconds: undefined,
};

function begin(request: RestoreRequest, lookup: Lookup, now: Date): PhysicalDecision {
  if (request.status?.phase === 'Running') {
    const name = recoveryName(request.metadata.name);
    const message = `PitrRecovery ${name}, which did the work, is gone. Create a new RestoreRequest.`;
    return next(request, { state: 'Failed', reason: 'RecoveryGone', message }, now);
  }
  const spec = recoverySpec(request, lookup);
  if (isRefusal(spec)) return refuse(request, spec, now);
  const { name, namespace } = request.metadata;
  const create = {
    apiVersion: request.apiVersion,
    kind: pitrRecovery.kind,
    metadata: {
      name: recoveryName(name),
      namespace,
      labels: { [labels.restore]: labelValue(name) },
      ownerReferences: [ownerOf(request)],
    },
    spec,
  };
  const message = `PitrRecovery ${recoveryName(name)} is being made, which does the work`;
  const { latest } = request.spec.source;
  const word =
    latest === undefined ? '' : wordOnLatest(runOf(request, lookup), latest.policyRef.name, latest.method, lookup);
  const decision = next(request, { state: 'Pending', reason: 'Starting', message }, now);
  const event = {
    type: 'Warning',
    reason: 'FailedVerification',
    action: 'Restore',
    note: `source.latest${word}`,
  } as const;
  return { ...decision, create, events: word === '' ? decision.events : [...decision.events, event] };
}

function recoverySpec(request: RestoreRequest, lookup: Lookup): Readonly<Record<string, unknown>> | Refusal {
  const { spec } = request;
  const { instance, inPlace, ephemeral, server } = spec.target;
  if (server !== undefined)
    return refused(
      'WrongTarget',
      'A Physical backup is a whole server, which cannot be put into one that runs. Use target.instance, inPlace or ephemeral; to copy databases into a live server, use extract of a PitrRecovery.',
    );
  if (spec.databases.length > 0)
    return refused(
      'WrongTarget',
      'A Physical backup holds the whole server, so no databases can be chosen. Leave databases out, or use extract of a PitrRecovery.',
    );
  const source = sourceOf(request, lookup);
  if (isRefusal(source)) return source;
  return {
    source: source.source,
    recoveryTarget: { targetImmediate: true, backupID: source.backupID },
    target: {
      ...(instance === undefined ? {} : { instance }),
      ...(inPlace === undefined ? {} : { inPlace }),
      ...(ephemeral === undefined ? {} : { ephemeral }),
    },
    assertions: spec.assertions,
    ...(spec.checks === undefined ? {} : { checks: spec.checks }),
    dryRun: spec.dryRun,
  };
}

function sourceOf(
  request: RestoreRequest,
  lookup: Lookup,
): { readonly source: Readonly<Record<string, unknown>>; readonly backupID: string } | Refusal {
  const { repository } = request.spec.source;
  const run = runOf(request, lookup);
  const resolved = resolveSource(request, lookup);
  if (isRefusal(resolved)) return resolved;
  // Which server's it is, the agent finds in the repository.
  if (run === undefined && repository !== undefined)
    return { source: { repository: { repositoryRef: repository.repositoryRef } }, backupID: repository.backupID };
  if (run === undefined) return refused('NoSource', 'The request names no source.');
  const { backupID, path } = resolved.backup;
  const { name } = run.spec.policyRef;
  const policy = lookup.policy(name);
  if (policy !== undefined && isOfPolicy(run, policy)) return { source: { policyRef: { name } }, backupID };
  const repositoryRef = { name: resolved.repository.name };
  const place = path === undefined ? undefined : parseBackupPath(path);
  const { namespace, systemIdentifier } = place ?? { namespace: run.metadata.namespace };
  const server = isCatalogued(run) && systemIdentifier !== undefined ? { systemIdentifier } : {};
  return { source: { repository: { repositoryRef, policy: name, namespace, ...server } }, backupID };
}

/** A run that was re-created may be of another namespace's policy, or of a server that this policy protects no more. */
function isOfPolicy(run: BackupRun, { status }: BackupPolicy): boolean {
  if (isForeign(run)) return false;
  const [own, present] = [run.status?.server?.systemIdentifier, status?.server?.systemIdentifier];
  return !isCatalogued(run) || own === undefined || own === present;
}

function runOf({ spec }: RestoreRequest, lookup: Lookup): BackupRun | undefined {
  const { backupRunRef, latest, repository } = spec.source;
  if (backupRunRef !== undefined) return lookup.run(backupRunRef.name);
  if (latest !== undefined) return newestOf(latest.policyRef.name, latest.method, lookup);
  return repository === undefined ? undefined : lookup.runOfBackup(repository.backupID);
}

function fateOfChild({ status }: PitrRecovery): Fate {
  const { reason = 'Starting', message = 'Its PitrRecovery is being started' } =
    findCondition(status?.conditions, 'Succeeded') ?? {};
  const { startTime, completionTime } = status ?? {};
  switch (status?.phase) {
    case 'Completed':
    case 'Failed':
    case 'Cancelled':
      return { state: status.phase, reason, message, ...(completionTime === undefined ? {} : { at: completionTime }) };
    case 'Pending':
    case undefined:
      return { state: 'Pending', reason, message };
    default:
      return { state: 'Running', reason, message, ...(startTime === undefined ? {} : { since: startTime }) };
  }
}

function foreignChild({ metadata }: PitrRecovery): Refusal {
  const { namespace, name, deletionTimestamp } = metadata;
  const message = `There is a PitrRecovery ${namespace}/${name} that does not belong to this RestoreRequest, and its own would have that name. Create a RestoreRequest of another name.`;
  return deletionTimestamp === undefined
    ? refused('RecoveryNameTaken', message)
    : missing('RecoveryNameTaken', message);
}

function refuse(request: RestoreRequest, refusal: Refusal, now: Date): PhysicalDecision {
  return next(request, refusedFate(refusal, request, now), now);
}

function next(request: RestoreRequest, fate: Fate, now: Date, child?: PitrRecovery): PhysicalDecision {
  const { plan, assertions, checks, jobName } = child?.status ?? {};
  const status = {
    ...statusOf(request, fate, jobName ?? request.status?.jobName, now),
    ...(plan?.backupID === undefined ? {} : { backupID: plan.backupID }),
    ...(plan?.steps === undefined ? {} : { plan: plan.steps.map((step) => ({ step })) }),
    ...(assertions === undefined ? {} : { assertions }),
    ...(checks === undefined ? {} : { checks }),
  };
  const waits = fate.state === 'Pending' && child === undefined;
  return {
    ...nothing,
    status,
    events: eventsOf(request, status, 'Restore'),
    lookAgainMilliseconds: waits ? 5_000 : undefined,
  };
}
