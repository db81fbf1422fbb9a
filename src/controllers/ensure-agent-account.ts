import type { JobTemplate } from '../api/job-template.ts';
import { agentServiceAccount, labels, managedBy, operatorFieldManager } from '../domain/labels.ts';
import type { KubeObject } from '../kube/client.ts';
import { apply, type Desired, read } from '../kube/objects.ts';
import type { Context } from './context.ts';
import { missing, type Refusal, refused } from './refusal.ts';

const lookAgainAfter = 600_000;

/**
 * The agents' account of a namespace and its binding to the agents' role. A policy may name another account, if whoever
 * rules the namespace has marked it for that: an author of policies must not be able to borrow any account there is.
 */
export async function ensureAgentAccount(
  context: Context,
  { metadata: { namespace, uid } }: { readonly metadata: { readonly namespace: string; readonly uid: string } },
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
  // By the object that asks: one of a namespace that was made anew is another.
  const key = `${uid}/${name}`;
  if (clock.monotonic() - (accounts.get(key) ?? Number.NEGATIVE_INFINITY) < lookAgainAfter) return undefined;
  if (serviceAccountName === undefined) await apply(client, account(namespace), operatorFieldManager, signal);
  await apply(client, binding(namespace, name, settings.agentClusterRole), operatorFieldManager, signal);
  remember(accounts, key, clock.monotonic());
  return undefined;
}

/** In the order of time, so that what is too old to count stands at the front. */
function remember(accounts: Map<string, number>, key: string, now: number): void {
  accounts.delete(key);
  accounts.set(key, now);
  for (const [old, time] of accounts) {
    if (now - time < lookAgainAfter) return;
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
