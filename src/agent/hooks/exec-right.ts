import { type Failure, terminal } from '../../domain/failure.ts';
import { execHooksRole } from '../../domain/labels.ts';
import type { HookWork } from '../../domain/task.ts';
import { ApiError, isForbidden } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';

export type ExecPlace = NonNullable<HookWork['exec']>;

interface Asked {
  readonly namespace: string;
  readonly place: ExecPlace;
  readonly pod: string;
}

/**
 * Whether this account may run commands in the pod, asked before anything is done. It is never Tidemark that grants it:
 * whoever may write a policy could run commands in the namespace then. Where nobody answers, the attempt will tell.
 */
export async function requireExecRight(
  client: KubeClient,
  { namespace, place, pod }: Asked,
  signal: AbortSignal,
): Promise<void> {
  // A WebSocket begins as a GET, and newer API servers ask for create beside it.
  for (const verb of ['get', 'create']) {
    const allowed = await mayExec(client, { namespace, pod, verb }, signal);
    if (allowed === false) throw execForbidden(namespace, place);
  }
}

async function mayExec(
  client: KubeClient,
  { namespace, pod, verb }: { readonly namespace: string; readonly pod: string; readonly verb: string },
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const apiVersion = 'authorization.k8s.io/v1';
  const kind = 'SelfSubjectAccessReview';
  const resourceAttributes = { namespace, verb, resource: 'pods', subresource: 'exec', name: pod };
  try {
    const { status } = await client.request<{ readonly status?: { readonly allowed?: boolean } }>(
      'POST',
      `/apis/${apiVersion}/selfsubjectaccessreviews`,
      { body: { apiVersion, kind, spec: { resourceAttributes } }, signal, timeout: 10_000 },
    );
    return status?.allowed;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ApiError && !isForbidden(error)) throw error;
    return undefined;
  }
}

export function execForbidden(namespace: string, place: ExecPlace, cause?: unknown): Failure {
  return terminal(
    'ExecHookForbidden',
    `The hooks of the policy run commands in the server's pod, and the account ${namespace}/${place.account} of Tidemark's agent may not. Whoever rules the namespace grants it: ${grantCommand(namespace, place)}. Or use http hooks alone.`,
    cause,
  );
}

export function grantCommand(namespace: string, { account, roleKind }: ExecPlace): string {
  const role = `${roleKind === 'Role' ? '--role' : '--clusterrole'}=${execHooksRole}`;
  return `kubectl create rolebinding ${execHooksRole} --namespace ${namespace} ${role} --serviceaccount=${namespace}:${account}`;
}
