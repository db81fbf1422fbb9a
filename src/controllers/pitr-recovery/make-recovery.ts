import type { RecoveryPlan } from '../../api/pitr-recovery.ts';
import { labelValue } from '../../domain/label-value.ts';
import { labels } from '../../domain/labels.ts';

import type { Desired } from '../../kube/objects.ts';
import { buildJob, type JobParts, ownerOf } from '../jobs/build-job.ts';
import { isRefusal, type Refusal, refused } from '../refusal.ts';
import { buildClaim, buildService, buildStatefulSet, claimName } from './build-instance.ts';
import { withServer } from './build-recovery-job.ts';
import type { Gathered, Step } from './gathered.ts';
import { jobNameOf } from './names.ts';
import { imageOf, placeOf, portOf, type Surroundings, volumeOf } from './surroundings.ts';
import { planTask, recoverTask } from './tasks.ts';

/** What stands against a recovery before it has touched anything. */
export function refusalBefore(gathered: Gathered): Refusal | undefined {
  const { recovery, surroundings, account, namesakes } = gathered;
  if (surroundings === undefined) throw new Error('nothing is made before its surroundings are known');
  if (isRefusal(surroundings)) return surroundings;
  if (account !== undefined) return account;
  const foreign = namesakes.find(({ own }) => !own);
  if (foreign !== undefined)
    return refused(
      'TargetExists',
      `There is a ${foreign.kind} ${recovery.metadata.namespace}/${foreign.name} already, and the recovered server would have that name. Nothing was touched: choose another target.instance.name, or remove it.`,
    );
  const image = imageOf(recovery, surroundings);
  if (typeof image !== 'string') return image;
  return refusalInPlace(gathered);
}

function refusalInPlace({ recovery, workload, rival }: Gathered): Refusal | undefined {
  const { inPlace } = recovery.spec.target;
  if (inPlace === undefined) return undefined;
  const { kind, name } = inPlace.workloadRef;
  if (workload === undefined)
    return refused(
      'TargetNotFound',
      `${kind} ${recovery.metadata.namespace}/${name} does not exist: correct target.inPlace.workloadRef.`,
    );
  if (rival !== undefined)
    return refused(
      'RecoveryUnderWay',
      `PitrRecovery ${rival} recovers ${kind} ${name} in place, and a second one would undo what it brings back. Nothing was touched: wait until it has ended, look at the data, and create a new PitrRecovery if this is still wanted.`,
    );
  const replicas = recovery.status?.replicas ?? workload.replicas;
  if (replicas > 1)
    return refused(
      'MoreThanOneReplica',
      `${kind} ${name} has ${replicas} replicas, and only the volume of the first would be recovered: the others hold the old history. Scale it to 1, create a new PitrRecovery, and make the other servers anew from the recovered one.`,
    );
  if (workload.losesClaims)
    return refused(
      'VolumeWouldBeDeleted',
      `StatefulSet ${name} has persistentVolumeClaimRetentionPolicy.whenScaled: Delete, so scaling it to 0 would delete its data. Set it to Retain, and create a new PitrRecovery.`,
    );
  return undefined;
}

export function buildPlanJob({ recovery, surroundings, agent }: Gathered): Desired | Refusal {
  const known = knownOf(surroundings);
  const job = buildJob({
    task: planTask(recovery, known),
    template: { ...known.source.template, activeDeadlineSeconds: 3600 },
    agent,
    ...common(recovery),
  });
  return isRefusal(job) ? job : jobOf(recovery, 'plan', job);
}

/** The Job, and before it what it needs; in the order in which they are made. */
export function buildRecovery(gathered: Gathered, plan: RecoveryPlan): readonly Step[] | Refusal {
  const { recovery, surroundings, agent } = gathered;
  const known = knownOf(surroundings);
  const { status } = recovery;
  if (plan.uid === 0)
    return refused(
      'RootOwned',
      'The data directory of the backup belongs to root, and no PostgreSQL runs as root. Give the files of the source to the account that its server runs under, and make another backup.',
    );
  const place = placeOf(recovery, known, plan.dataDirectory);
  if (isRefusal(place)) return place;
  const image = imageOf(recovery, known);
  if (typeof image !== 'string') return image;
  const room = { dataDirectory: plan.dataDirectory, bytes: plan.bytes, walBytes: status?.plan?.walBytes };
  const volume = volumeOf(recovery, known, room, claimName);
  if (isRefusal(volume)) return volume;
  const owner = { uid: plan.uid, gid: plan.gid };
  const job = buildJob({
    task: recoverTask(recovery, known, plan, place),
    template: { ...known.source.template, activeDeadlineSeconds: 86_400 },
    agent,
    ...common(recovery),
  });
  if (isRefusal(job)) return job;
  const pod = withServer(job, { image, server: known.server, place, volume, owner });
  const making = { do: 'makeJob', object: jobOf(recovery, 'recover', pod) } as const;
  const { instance } = recovery.spec.target;
  if (instance === undefined) return [making];
  const parts = {
    recovery,
    instance,
    server: known.server,
    image,
    port: portOf(known),
    sourceDirectory: plan.dataDirectory,
    place,
    major: plan.major,
    owner,
  };
  const claim = { do: 'make', object: buildClaim(parts) } as const;
  // What is taken out of it is all that anybody wants of it.
  if (recovery.spec.extract !== undefined) return [claim, making];
  return [{ do: 'make', object: buildStatefulSet(parts) }, { do: 'make', object: buildService(parts) }, claim, making];
}

/** The volume of a server that nobody keeps goes with its pod, and the pod with its Job: soon, but not before its log was read. */
const keptEphemeral = 600;

/** Of both Jobs: tried again twice, since the agent goes on where the try before it was, and kept for a week. */
function common({ metadata, spec }: Gathered['recovery']) {
  const { name } = metadata;
  return {
    runName: name,
    labels: { [labels.recovery]: labelValue(name) },
    backoffLimit: 2,
    ttlSecondsAfterFinished: spec.target.ephemeral === undefined ? 7 * 86_400 : keptEphemeral,
  };
}

function jobOf(recovery: Gathered['recovery'], what: 'plan' | 'recover', { metadata, spec }: JobParts): Desired {
  const { namespace } = recovery.metadata;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: jobNameOf(recovery, what), namespace, ...metadata, ownerReferences: [ownerOf(recovery)] },
    spec,
  };
}

function knownOf(surroundings: Gathered['surroundings']): Surroundings {
  if (surroundings === undefined || isRefusal(surroundings)) throw new Error('a refused recovery makes nothing');
  return surroundings;
}
