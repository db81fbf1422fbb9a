import type { Kubectl } from './kubectl.ts';

const kinds = [
  ...['backuppolicies', 'backupruns', 'restorerequests', 'pitrrecoveries', 'backuprepositories'],
  ...['jobs', 'cronjobs', 'pods', 'deployments', 'statefulsets', 'services', 'persistentvolumeclaims'],
  ...['configmaps', 'secrets', 'serviceaccounts', 'rolebindings.rbac.authorization.k8s.io'],
  ...['roles.rbac.authorization.k8s.io', 'networkpolicies', 'poddisruptionbudgets'],
];

interface Listed {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly finalizers?: readonly string[];
    readonly deletionTimestamp?: string;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: { readonly template?: unknown; readonly replicas?: number };
  readonly status?: {
    readonly phase?: string;
    readonly error?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  };
}

/**
 * A line an object of a namespace, with all that must be the same after the same work: names, owners, finalizers,
 * conditions, templates. What the cluster made a name of by chance ends in a star.
 */
export async function takeInventory(kubectl: Kubectl, namespace: string): Promise<readonly string[]> {
  const lists = await Promise.all(
    kinds.map(async (kind) => (await kubectl.list<Listed>(kind, namespace)).map((each) => lineOf(kind, each))),
  );
  return lists.flat().sort();
}

/** What came and what went, with a name in it that the two sides of a comparison do not share masked. */
export function changesBetween(before: readonly string[], after: readonly string[], name: string): readonly string[] {
  const count = (lines: readonly string[]) => {
    const counts = new Map<string, number>();
    for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
    return counts;
  };
  const [first, second] = [count(before), count(after)];
  const changes = [...new Set([...first.keys(), ...second.keys()])].flatMap((line) => {
    const change = (second.get(line) ?? 0) - (first.get(line) ?? 0);
    return change === 0 || isProbe(line) ? [] : [{ change, line: line.replaceAll(name, 'NAME') }];
  });
  return changes
    .toSorted((one, other) => (one.line < other.line ? -1 : 1))
    .map(({ change, line }) => `${change > 0 ? '+' : ''}${change} ${line}`);
}

/** A probe's Job goes by itself ten minutes after its end, whatever else happens. */
function isProbe(line: string): boolean {
  return /^(jobs|pods)\/probe-/.test(line);
}

/** Whether no Job has anything to do. */
export function isAtRest(inventory: readonly string[]): boolean {
  return !inventory.some((line) => line.includes('finalizers=batch.kubernetes.io/job-tracking'));
}

function lineOf(kind: string, { metadata, spec, status }: Listed): string {
  const byChance = kind === 'pods' ? metadata.name.replace(/-[a-z0-9]{5}$/, '-*') : metadata.name;
  const owners = (metadata.ownerReferences ?? []).map(
    (owner) => `${owner.kind}/${owner.name.replace(/-[a-f0-9]{8,10}$/, '-*')}`,
  );
  const conditions = (status?.conditions ?? [])
    .filter(() => kind.startsWith('backup') || kind.endsWith('requests') || kind.endsWith('recoveries'))
    .map(({ type, status: is, reason }) => `${type}=${is}/${reason}`);
  const isWorkload = kind === 'statefulsets' || kind === 'deployments';
  return [
    `${kind}/${byChance.replace(/-[a-f0-9]{8,10}-\*$/, '-*')}`,
    metadata.deletionTimestamp === undefined ? '' : 'going',
    `owners=${owners.sort().join()}`,
    `finalizers=${[...(metadata.finalizers ?? [])].sort().join()}`,
    ...(kind.startsWith('persistent') || isWorkload ? [] : [`phase=${status?.phase ?? ''}`]),
    `conditions=${conditions.sort().join()}`,
    isWorkload ? `replicas=${spec?.replicas} template=${JSON.stringify(spec?.template)}` : '',
  ].join(' ');
}
