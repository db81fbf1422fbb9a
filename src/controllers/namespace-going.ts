import { ApiError, isNamespaceTerminating } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { resourcePath } from '../kube/paths.ts';

/** No Job that could run: whether a namespace takes objects any more is said before anything of them is looked at. */
const nothing = { apiVersion: 'batch/v1', kind: 'Job', metadata: { generateName: 'never-' }, spec: { template: {} } };

/** Whether a namespace goes away, found out by a Job that is not made: the operator has no right to look at namespaces. */
export async function isNamespaceGoing(client: KubeClient, namespace: string, signal: AbortSignal): Promise<boolean> {
  try {
    const query = { dryRun: 'All' };
    await client.request('POST', resourcePath('Job', { namespace }), { query, body: nothing, signal });
    return false;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return isNamespaceTerminating(error);
  }
}
