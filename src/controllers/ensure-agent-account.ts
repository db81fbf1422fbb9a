import type { JobTemplate } from '../api/job-template.ts';
import { agentServiceAccount, labels, managedBy, operatorFieldManager } from '../domain/labels.ts';
import type { KubeObject } from '../kube/client.ts';
import { apply, type Desired, read } from '../kube/objects.ts';
import type { Context } from './context.ts';
import { missing, type Refusal, refused } from './refusal.ts';

const lookAgainAfter = 600_000;
/** Longer than anything that asks again and again pauses. */
const forgetAfter = 3_600_000;
/** The API server's clock from the operator's, at most. */
const clocksDiffer = 300_000;

interface Asker {
  readonly metadata: { readonly namespace: string; readonly uid: string; readonly creationTimestamp: string };
}

/**
 * The agents' account of a namespace and its binding to the agents' role. A policy may name another account, if whoever
 * rules the namespace has marked it for that: an author of policies must not be able to borrow any account there is.
 */
export async function ensureAgentAccount(
  context: Context,
  { metadata: { namespace, uid, creationTimestamp } }: Asker,
  { serviceAccountName }: JobTemplate,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  const { client, settings, clock, accounts } = context;
  const name = serviceAccountName ?? agentServiceAccount;
  if (serviceAccountName !== undefined) {
    const refusal = await checkMark(context, namespace, serviceAccountName, signal);
    if (refusal !== undefined) return refusal;
  }
  if (settings.agentAccess === 'Provided') return undefined;
  // Once a namespace, however many ask; but who is younger than that may be of a namespace that was made anew.
  const [place, asker] = [`account ${namespace}/${name}`, `asker ${uid}/${name}`];
  const now = clock.monotonic();
  const age = (key: string) => now - (accounts.get(key) ?? Number.NEGATIVE_INFINITY);
  const isOlder = Date.parse(creationTimestamp) < clock.now().getTime() - age(place) - clocksDiffer;
  if (age(place) >= lookAgainAfter || !(isOlder || age(asker) < forgetAfter)) {
    if (serviceAccountName === undefined) await apply(client, account(namespace), operatorFieldManager, signal);
    await apply(client, binding(namespace, name, settings.agentClusterRole), operatorFieldManager, signal);
    remember(accounts, place, now);
  }
  remember(accounts, asker, now);
  return undefined;
}

/** In the order of time, so that what is too old to count stands at the front. */
function remember(accounts: Map<string, number>, key: string, now: number): void {
  accounts.delete(key);
  accounts.set(key, now);
  for (const [old, time] of accounts) {
    if (now - time < forgetAfter) return;
    accounts.delete(old);
  }
}

async function checkMark(
  { client }: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  const account = await read<KubeObject>(client, 'ServiceAccount', namespace, name, signal);
  if (account === undefined)
    return missing(
      'ServiceAccountNotFound',
      `ServiceAccount ${namespace}/${name} of jobTemplate.serviceAccountName does not exist. Create it, or leave the field out.`,
    );
  const marks = account.metadata.labels as Readonly<Record<string, string>> | undefined;
  if (marks?.[labels.agent] === 'true') return undefined;
  return refused(
    'ServiceAccountNotAllowed',
    `ServiceAccount ${namespace}/${name} is not marked for Tidemark's Jobs. If it is meant for them: kubectl label serviceaccount -n ${namespace} ${name} ${labels.agent}=true`,
  );
}

function account(namespace: string): Desired {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      name: agentServiceAccount,
      namespace,
      labels: { [labels.managedBy]: managedBy, [labels.agent]: 'true' },
    },
  };
}

function binding(namespace: string, name: string, clusterRole: string): Desired {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: {
      name: name === agentServiceAccount ? agentServiceAccount : `${agentServiceAccount}-${name}`,
      namespace,
      labels: { [labels.managedBy]: managedBy },
    },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: clusterRole },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  };
}
