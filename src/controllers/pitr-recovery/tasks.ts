import { basename } from 'node:path/posix';
import type { PitrRecovery } from '../../api/kinds.ts';
import type { RecoveryPlan } from '../../api/pitr-recovery.ts';
import { labels } from '../../domain/labels.ts';
import type { PlanRecoveryTask, RecoverTask } from '../../domain/task.ts';
import { isDrill } from '../../domain/verification/drill-history.ts';
import type { Place } from './place.ts';
import { statedDataDirectory } from './server.ts';
import { capacityOf, type Surroundings } from './surroundings.ts';

/** What the agent is told that reads the repository and touches nothing. */
export function planTask(recovery: PitrRecovery, surroundings: Surroundings): PlanRecoveryTask {
  const { source, server } = surroundings;
  const capacity = capacityOf(recovery, surroundings);
  const dataDirectory = server === undefined ? undefined : statedDataDirectory(server.container);
  return {
    action: 'plan-recovery',
    namespace: recovery.metadata.namespace,
    recovery: idOf(recovery),
    source: source.task,
    target: recovery.spec.recoveryTarget,
    ...(source.passOver.length === 0 ? {} : { passOver: [...source.passOver] }),
    ...(capacity === undefined ? {} : { capacity }),
    ...(dataDirectory === undefined ? {} : { dataDirectory }),
    ...(isDrill(recovery) ? { drill: true } : {}),
    destination: destinationOf(recovery),
  };
}

/** What the agent is told that recovers by that plan. */
export function recoverTask(
  recovery: PitrRecovery,
  { source, extractHosts }: Surroundings,
  plan: RecoveryPlan,
  place: Place,
): RecoverTask {
  const { metadata, spec } = recovery;
  const { inPlace, instance } = spec.target;
  const standby = instance?.standbyOf;
  const credentials = standby?.credentialsSecretRef.name;
  return {
    action: 'recover',
    namespace: metadata.namespace,
    recovery: idOf(recovery),
    source: source.task,
    target: spec.recoveryTarget,
    plan,
    place: {
      dataDirectory: place.dataDirectory,
      ...(place.servedDirectory === undefined ? {} : { servedDirectory: place.servedDirectory }),
      ...(inPlace === undefined
        ? {}
        : { oldDataDirectory: oldDataDirectory(recovery, place), keepOldData: inPlace.keepOldData }),
    },
    assertions: spec.assertions,
    ...(spec.checks === undefined ? {} : { checks: spec.checks }),
    ...(spec.target.ephemeral === undefined ? {} : { ephemeral: true }),
    ...(metadata.labels?.[labels.verification] === undefined ? {} : { verdict: { partial: source.partial === true } }),
    ...(spec.target.ephemeral === undefined || source.lagSeconds === undefined
      ? {}
      : { lagSeconds: source.lagSeconds }),
    askedTime: metadata.creationTimestamp,
    ...(spec.extract === undefined ? {} : { extract: extractOf(spec.extract, extractHosts) }),
    ...(standby === undefined || standby.host === '' || credentials === undefined
      ? {}
      : { standbyOf: { host: standby.host, port: source.port, credentialsSecretName: credentials } }),
  };
}

/** In place: what the present data directory is called afterwards. */
export function oldDataDirectory({ metadata }: Pick<PitrRecovery, 'metadata'>, { dataDirectory }: Place): string {
  return `${basename(dataDirectory)}.before-${metadata.name}`;
}

function idOf({ metadata }: PitrRecovery) {
  return { name: metadata.name, uid: metadata.uid };
}

function destinationOf({ metadata, spec }: PitrRecovery): string {
  const { instance, inPlace } = spec.target;
  const { namespace } = metadata;
  if (spec.extract !== undefined)
    return `copy ${spec.extract.databases.map(({ name }) => name).join(', ')} into the live server, and remove the recovered one`;
  if (instance !== undefined)
    return `make StatefulSet and Service ${namespace}/${instance.name} with a volume of ${instance.storage.size}`;
  if (inPlace !== undefined) {
    const { kind, name } = inPlace.workloadRef;
    return `scale ${kind} ${namespace}/${name} down before, and up again with the recovered data${inPlace.keepOldData ? ', the old data kept beside it' : ''}`;
  }
  return 'ask the assertions, and remove the recovered server';
}

function extractOf(
  { databases, into }: NonNullable<PitrRecovery['spec']['extract']>,
  hosts: readonly string[],
): NonNullable<RecoverTask['extract']> {
  return {
    databases,
    server: {
      hosts: [...hosts],
      port: into.port,
      database: into.database,
      role: 'Primary',
      ...(into.tls === undefined ? {} : { tls: into.tls }),
      credentialsSecretName: into.credentialsSecretRef.name,
    },
  };
}
