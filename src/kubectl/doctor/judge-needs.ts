import { findCondition } from '../../domain/conditions.ts';
import { agentServiceAccount, labels } from '../../domain/labels.ts';
import { type Check, ok, problem, unknown, warning } from './check.ts';
import type { Gathered } from './gather.ts';

/** The objects that must be there: the server's workload, repositories, Secrets, claims, CronJobs, the account. */
export function judgeNeeds(gathered: Gathered): readonly Check[] {
  return [
    ...workload(gathered),
    ...repositories(gathered),
    ...secrets(gathered),
    ...claims(gathered),
    ...cronJobs(gathered),
    ...account(gathered),
  ];
}

function workload({ policy, workload: seen }: Gathered): readonly Check[] {
  const { workloadRef, container, host } = policy.spec.source;
  if (workloadRef === undefined || seen === undefined)
    return [ok('source', `The server is the host ${host}; whether it answers is for the backups to say.`)];
  const subject = `${workloadRef.kind} ${workloadRef.name}`;
  if (seen.state === 'unseen') return [unseen(subject, seen.why, `get on ${workloadRef.kind}s`)];
  if (seen.state === 'absent')
    return [
      problem(
        subject,
        'The source does not exist in this namespace.',
        'Correct spec.source.workloadRef, or bring the workload back.',
      ),
    ];
  const { spec, status } = seen.thing;
  const containers = (spec.template?.spec ?? spec).containers ?? [];
  const missing = container !== undefined && !containers.some(({ name }) => name === container);
  const runs = workloadRef.kind === 'Pod' ? status?.phase === 'Running' : (status?.readyReplicas ?? 0) > 0;
  return [
    runs
      ? ok(subject, 'The source runs.')
      : problem(
          subject,
          'The source has no pod that is ready, so there is no server to back up.',
          `kubectl describe ${workloadRef.kind.toLowerCase()} ${workloadRef.name}`,
        ),
    ...(missing
      ? [
          problem(
            subject,
            `It has no container ${container}.`,
            `Set spec.source.container to one of ${containers.map(({ name }) => name).join(', ')}, or leave it out.`,
          ),
        ]
      : []),
  ];
}

function repositories({ repositories: all, policy }: Gathered): readonly Check[] {
  return all.map(({ name, seen }) => {
    const subject = `BackupRepository ${name}`;
    if (seen.state === 'unseen') return unseen(subject, seen.why, 'get on backuprepositories');
    if (seen.state === 'absent')
      return problem(
        subject,
        `It does not exist in the namespace ${policy.metadata.namespace}.`,
        'Create it, or correct spec.repositoryRefs.',
      );
    const { spec, status } = seen.thing;
    const ready = findCondition(status?.conditions, 'Ready');
    if (spec.accessMode === 'ReadOnly')
      return problem(
        subject,
        'It is ReadOnly, so no backup can be stored in it.',
        'Set spec.accessMode: ReadWrite, if no other cluster writes to it.',
      );
    if (ready?.status === 'True') return ok(subject, ready.message);
    if (ready?.status === 'False')
      return problem(
        subject,
        `${ready.reason}: ${ready.message}`,
        'Do what the message says; the repository is tried again by itself.',
      );
    return unknown(
      subject,
      ready?.message || 'It has not been tried yet.',
      `kubectl describe backuprepository ${name}`,
    );
  });
}

function secrets({ secrets: all, policy }: Gathered): readonly Check[] {
  return all.map(({ name, keys, for: what, seen }) => {
    const subject = `Secret ${name}`;
    if (seen.state === 'unseen')
      return policy.status?.lastSuccessfulRun?.completionTime === undefined
        ? unseen(subject, seen.why, 'get on secrets')
        : ok(subject, `For ${what}. You may not look at it; the last backup that succeeded had what it needs.`);
    if (seen.state === 'absent')
      return problem(
        subject,
        `It does not exist; it is for ${what}.`,
        keys.length === 0 ? 'Create it.' : `Create it with the keys ${keys.join(', ')}.`,
      );
    const missing = keys.filter((key) => !seen.thing.includes(key));
    return missing.length === 0
      ? ok(subject, `For ${what}.`)
      : problem(subject, `It lacks ${missing.join(', ')}, or has it empty; it is for ${what}.`, 'Add the key.');
  });
}

function claims({ claims: all }: Gathered): readonly Check[] {
  return all.map(({ name, seen }) => {
    const subject = `PersistentVolumeClaim ${name}`;
    if (seen.state === 'unseen') return unseen(subject, seen.why, 'get on persistentvolumeclaims');
    if (seen.state === 'absent')
      return problem(subject, 'It does not exist.', 'Create it, or correct spec.volume.claimName of the repository.');
    const phase = seen.thing.status?.phase ?? 'Pending';
    if (phase === 'Bound') return ok(subject, 'It is bound.');
    // A class that waits for the first consumer binds with the first backup.
    return phase === 'Pending'
      ? warning(
          subject,
          'It is not bound yet, which may only mean that no pod has used it.',
          `If a backup waits for it: kubectl describe persistentvolumeclaim ${name}`,
        )
      : problem(subject, `It is ${phase}.`, `kubectl describe persistentvolumeclaim ${name}`);
  });
}

function cronJobs({ cronJobs: all, policy }: Gathered): readonly Check[] {
  return all.map(({ name, seen }) => {
    const subject = `schedule ${name}`;
    if (seen.state === 'unseen') return unseen(subject, seen.why, 'get on cronjobs');
    if (seen.state === 'absent')
      return problem(
        subject,
        'Its CronJob does not exist, so nothing begins by itself.',
        'The operator makes it once the policy is Ready; see the conditions.',
      );
    const held = seen.thing.spec.suspend === true && !policy.spec.suspend;
    return held
      ? problem(
          subject,
          'Its CronJob is suspended, though the policy is not.',
          'See the conditions: the operator holds back what cannot work. Somebody may have suspended it by hand.',
        )
      : ok(subject, 'Its CronJob is there.');
  });
}

function account({ account: { name, seen } }: Gathered): readonly Check[] {
  const subject = `ServiceAccount ${name}`;
  if (seen.state === 'unseen') return [unseen(subject, seen.why, 'get on serviceaccounts')];
  if (seen.state === 'absent') {
    const remedy =
      name === agentServiceAccount
        ? 'The operator makes it with the first Job, unless the chart has agent access Provided: then create it.'
        : `Create it, with the label ${labels.agent}=true.`;
    return [problem(subject, 'The account that the Jobs run under does not exist.', remedy)];
  }
  const marked = name === agentServiceAccount || seen.thing.metadata.labels?.[labels.agent] === 'true';
  return [
    marked
      ? ok(subject, 'The Jobs can run under it.')
      : problem(
          subject,
          `It lacks the label ${labels.agent}=true, so no Job may run under it.`,
          `kubectl label serviceaccount ${name} ${labels.agent}=true`,
        ),
  ];
}

function unseen(subject: string, why: string, right: string): Check {
  return unknown(subject, `It could not be checked: ${why}.`, `Ask with an account that has the right "${right}".`);
}
