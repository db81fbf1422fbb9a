import type { BackupPolicy } from '../../api/kinds.ts';
import { type Check, ok, problem, unknown, warning } from './check.ts';
import type { Gathered } from './gather.ts';
import { judgeBackups } from './judge-backups.ts';
import { judgeConditions } from './judge-conditions.ts';
import { judgeNeeds } from './judge-needs.ts';

/** How long the operator may take to look at a change. */
const patience = 60_000;

/** Everything that a policy needs, in the order in which a person would mend it; pure. */
export function judge(gathered: Gathered): readonly Check[] {
  return [
    operator(gathered),
    ...spec(gathered),
    ...judgeNeeds(gathered),
    ...judgeConditions(gathered.policy.status?.conditions ?? []),
    ...judgeBackups(gathered),
    ...advice(gathered.policy),
    ...identities(gathered),
  ];
}

function operator({ policy: { metadata, status }, now }: Gathered): Check {
  const subject = 'operator';
  if (status?.observedGeneration === metadata.generation)
    return ok(subject, 'It has looked at the policy as it is now.');
  const remedy =
    'Look whether it runs: kubectl get pods --all-namespaces --selector app.kubernetes.io/name=tidemark; and whether it serves this namespace (watchNamespaces).';
  const young = now.getTime() - Date.parse(metadata.creationTimestamp) < patience;
  // The API server fills in -1.
  if ((status?.observedGeneration ?? -1) < 0)
    return young
      ? unknown(subject, 'It has not looked at the policy yet, which is new.', 'Ask again in a minute.')
      : problem(subject, 'It has never looked at this policy.', remedy);
  return warning(
    subject,
    'It has not looked at the latest change of the policy yet.',
    `Ask again in a minute. ${remedy}`,
  );
}

function spec({ policy }: Gathered): readonly Check[] {
  const deleted = policy.metadata.deletionTimestamp !== undefined;
  return [
    ...(deleted
      ? [problem('policy', 'It is being deleted.', 'Make a new one, if that was a mistake; stored backups stay.')]
      : []),
    ...(policy.spec.suspend
      ? [
          warning(
            'suspend',
            'The policy is suspended: no backup begins by itself.',
            'Set spec.suspend: false when it is to go on.',
          ),
        ]
      : []),
  ];
}

/** What is not wrong, and will be missed in the bad hour. */
function advice({
  metadata,
  spec: { retention, schedules, walArchiving, repositoryRefs },
}: BackupPolicy): readonly Check[] {
  const physical = schedules.some(({ method }) => method === 'Physical');
  return [
    ...(schedules.length === 0
      ? [
          warning(
            'schedules',
            'There are none: every backup is made by hand.',
            'Add spec.schedules, such as {name: nightly, cron: "0 3 * * *", method: Logical}.',
          ),
        ]
      : []),
    ...(retention === undefined
      ? [
          warning(
            'retention',
            'There is none: nothing is ever removed, and the repository grows.',
            'Add spec.retention, such as {recoveryWindow: 14d}.',
          ),
        ]
      : []),
    ...(walArchiving.mode !== 'None' && !physical
      ? [
          warning(
            'schedules',
            'WAL is archived, and no schedule makes the base backups that it needs.',
            `Add a schedule with method: Physical, or make one now: kubectl tidemark backup ${metadata.name} --method physical`,
          ),
        ]
      : []),
    ...(repositoryRefs.length === 1
      ? [ok('repositories', 'There is one: a loss of that store is a loss of every backup.')]
      : []),
  ];
}

/** Backups go on without the identity; it is missed when one is to be read. */
function identities({ repositories }: Gathered): readonly Check[] {
  return repositories.flatMap(({ name, seen }) => {
    const encryption = seen.state === 'found' ? seen.thing.spec.encryption : undefined;
    const missing = encryption?.age !== undefined && encryption.age.identitySecretRef === undefined;
    if (!missing) return [];
    const message =
      'Backups are encrypted, and no identity is named to decrypt them with: no restore can be made from here.';
    return [
      warning(
        `BackupRepository ${name}`,
        message,
        'Set spec.encryption.age.identitySecretRef before a restore; see docs/encryption.md.',
      ),
    ];
  });
}
