import { describe, expect, test } from 'vitest';
import { backupPolicySpec } from '../../../src/api/backup-policy.ts';
import { type Kind, kinds } from '../../../src/api/kinds.ts';
import { buildSidecar } from '../../../src/controllers/archiving/build-sidecar.ts';
import { buildWatcher } from '../../../src/controllers/archiving/build-watcher.ts';
import { backupTask } from '../../../src/controllers/backup-task.ts';
import { buildJob } from '../../../src/controllers/jobs/build-job.ts';
import { buildPlanJob, buildRecovery } from '../../../src/controllers/pitr-recovery/make-recovery.ts';
import { isRefusal } from '../../../src/controllers/refusal.ts';
import { decide } from '../../../src/controllers/restore-request/decide.ts';
import { bounded } from '../../support/faults.ts';
import { agent, now, policy, recovery, repository, restore } from '../../unit/controllers/objects.ts';
import { gathered, plan, server } from '../../unit/controllers/pitr-recovery/things.ts';
import { bases, evil, type Path, textFields, withText } from './fields.ts';

/** Of a pod, what Kubernetes itself reads: a tenant's own choice among what the namespace's rules allow him. */
const free =
  /^spec\.(nodeSelector|tolerations|affinity|priorityClassName|imagePullSecrets|volumes|containers\.\d+\.(env|resources|image)|serviceAccountName)\b|^metadata\.(labels|annotations)\b/;
const mountPlaces =
  /^\/(tmp|scratch|var\/run\/tidemark\/|var\/run\/secrets\/kubernetes\.io\/serviceaccount$|var\/lib\/postgresql|etc\/(passwd|postgresql)$|data$|archive$)/;

describe.each(kinds.map((kind) => [kind.kind, kind] as const))('every text of a %s', (_, kind) => {
  const paths = textFields(kind);
  let refused = 0;
  let literal = 0;

  test.each(paths.map((path) => [path.join('.'), path] as const))(
    '%s is refused, or arrives as it is',
    (_name, path) => {
      let reached = false;
      // Between them, the fields of a kind get all of it also in `npm test`.
      const own = paths.indexOf(path);
      const tried = evil.filter((_, index) => (index + own) % bounded(4, 1) === 0);
      for (const value of tried) {
        for (const base of bases(kind)) {
          const spec = withText(base, path, value);
          if (spec === undefined) continue;
          const read = kind.spec.safeParse(spec);
          if (!read.success) {
            // For this text, and not for what the base lacks.
            if (read.error.issues.some((issue) => concerns(issue.path, path))) reached = true;
            refused += 1;
            continue;
          }
          reached = true;
          literal += 1;
          for (const pod of podsOf(kind, read.data as object)) requireHarmless(pod, value, path);
        }
      }
      expect(reached, `no object of fields.ts has ${path.join('.')}`).toBe(true);
    },
  );

  test('was tried in some number, with both outcomes', () => {
    process.stdout.write(`${kind.kind}: ${paths.length} texts, ${refused} refused, ${literal} taken as they are\n`);
    expect(refused).toBeGreaterThan(0);
    expect(literal).toBeGreaterThan(0);
  });
});

/** The rule may stand at the field, or at the list or object that it is in. */
function concerns(issue: readonly PropertyKey[], path: Path): boolean {
  return issue.every(
    (name, index) => path[index] === '{key}' || path[index] === '{}' || String(path[index]) === String(name),
  );
}

interface Pod {
  readonly metadata?: object;
  readonly spec: {
    readonly serviceAccountName?: string;
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly Readonly<Record<string, unknown>>[];
    readonly [field: string]: unknown;
  };
}

interface Container {
  readonly name: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

/** Every pod that the operator would make of it. */
function podsOf({ kind }: Kind, spec: object): readonly Pod[] {
  const made: unknown[] = [];
  if (kind === 'BackupRepository') {
    const stored = repository({ spec: { ...spec } });
    const owner = { name: 'store', uid: 'u', generation: 1 };
    const task = {
      action: 'probe',
      namespace: 'shop',
      repositoryObject: owner,
      repository: { name: 'store', spec: stored.spec },
    } as const;
    made.push(buildJob({ task, template: backupPolicySpec.parse(bare).jobTemplate, agent, labels: {} }));
    made.push(backup(stored, bare));
  } else if (kind === 'BackupPolicy') {
    const own = policy({ spec: { ...spec } });
    made.push(backup(repository(), spec));
    const repositories = [{ name: 'store', spec: repository().spec }];
    const source = {
      hosts: ['db'] as string[],
      port: 5432,
      database: own.spec.source.database,
      role: 'Primary',
      credentialsSecretName: 's',
    } as const;
    made.push(buildWatcher({ policy: own, mode: 'Stream', server: source, repositories, agent }));
    made.push(
      buildSidecar({
        policy: own,
        workload: server(),
        repositories,
        systemIdentifier: '7',
        agent,
      }),
    );
  } else if (kind === 'RestoreRequest') {
    const request = restore({ spec: { ...spec } });
    const source = {
      repository: { name: 'store', spec: repository().spec },
      backup: { backupID: '20260310T115900Z-a' },
    };
    made.push(
      decide({
        request,
        source,
        hosts: ['db'],
        account: undefined,
        job: undefined,
        jobExists: false,
        activePods: [],
        agent,
        now,
      }).create,
    );
  } else if (kind === 'PitrRecovery') {
    const all = gathered({ recovery: recovery({ spec: { ...spec } }) });
    made.push(buildPlanJob(all));
    const steps = buildRecovery(all, plan);
    if (!isRefusal(steps)) made.push(...steps.flatMap((step) => ('object' in step ? [step.object] : [])));
  }
  return made.flatMap(podOf);
}

const bare = { source: { host: 'db', credentialsSecretRef: { name: 'db' } }, repositoryRefs: [{ name: 'store' }] };

function backup(stored: ReturnType<typeof repository>, spec: object): unknown {
  const task = backupTask({
    policy: policy({ spec: { ...spec } }),
    repositories: [stored],
    hosts: ['db'],
    method: 'Logical',
  });
  return isRefusal(task)
    ? undefined
    : buildJob({
        task,
        template: backupPolicySpec.parse(spec).jobTemplate,
        agent,
        labels: { 'tidemark.dev/policy': 'orders' },
      });
}

function podOf(object: unknown): readonly Pod[] {
  const template = (object as { readonly spec?: { readonly template?: Pod } } | undefined)?.spec?.template;
  return template?.spec?.containers === undefined ? [] : [template];
}

function requireHarmless(pod: Pod, value: string, path: Path): void {
  const { spec } = pod;
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace'])
    expect(spec).not.toHaveProperty(field);
  for (const volume of spec.volumes ?? []) {
    expect(volume).not.toHaveProperty('hostPath');
    expect(volume).not.toHaveProperty('csi');
  }
  for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
    const {
      allowPrivilegeEscalation = false,
      privileged = false,
      runAsUser = 1,
      capabilities,
    } = container.securityContext ?? {};
    expect([allowPrivilegeEscalation, privileged, runAsUser === 0]).toEqual([false, false, false]);
    expect(capabilities ?? {}).not.toHaveProperty('add');
    for (const { mountPath } of container.volumeMounts ?? []) expect(mountPath).toMatch(mountPlaces);
    // One literal among others: as a whole it is JSON still.
    for (const { name, value: text = '' } of container.env ?? [])
      if (name === 'TIDEMARK_TASK') expect(typeof JSON.parse(text)).toBe('object');
  }
  if (spec.serviceAccountName !== undefined && path.at(-1) !== 'serviceAccountName')
    expect(['tidemark-agent', 'orders', 'a', 'orders-backup']).toContain(spec.serviceAccountName);
  if (value.length < 3 || /^[a-z ]+$/i.test(value)) return;
  for (const [where, text] of texts({ metadata: pod.metadata, spec }, ''))
    if (text.includes(value)) expect(where, `${path.join('.')}: ${value.slice(0, 60)}`).toMatch(free);
  for (const { command = [], args = [] } of spec.containers)
    for (const word of [...command, ...args])
      expect(word.includes(value), `${path.join('.')} in a command`).toBe(false);
}

function texts(value: unknown, path: string): readonly (readonly [string, string])[] {
  if (typeof value === 'string') return [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => texts(each, path === '' ? key : `${path}.${key}`));
}
