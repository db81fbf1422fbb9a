import { group, kinds, version } from '../api/kinds.ts';

/** A resource as the API server's paths name it. */
export interface ResourceType {
  readonly kind: string;
  readonly apiVersion: string;
  readonly plural: string;
}

const foreign = [
  { kind: 'Pod', apiVersion: 'v1', plural: 'pods' },
  { kind: 'Service', apiVersion: 'v1', plural: 'services' },
  { kind: 'PersistentVolumeClaim', apiVersion: 'v1', plural: 'persistentvolumeclaims' },
  { kind: 'ServiceAccount', apiVersion: 'v1', plural: 'serviceaccounts' },
  { kind: 'StatefulSet', apiVersion: 'apps/v1', plural: 'statefulsets' },
  { kind: 'Deployment', apiVersion: 'apps/v1', plural: 'deployments' },
  { kind: 'Job', apiVersion: 'batch/v1', plural: 'jobs' },
  { kind: 'CronJob', apiVersion: 'batch/v1', plural: 'cronjobs' },
  { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', plural: 'leases' },
  { kind: 'Event', apiVersion: 'events.k8s.io/v1', plural: 'events' },
  { kind: 'RoleBinding', apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'rolebindings' },
] as const satisfies readonly ResourceType[];

const own: readonly ResourceType[] = kinds.map(({ kind, plural }) => ({
  kind,
  plural,
  apiVersion: `${group}/${version}`,
}));

/** The resource type of a kind that Tidemark deals with. */
export function resourceType(kind: string): ResourceType {
  const found = [...own, ...foreign].find((type) => type.kind === kind);
  if (found === undefined) throw new Error(`${kind} is no kind that Tidemark deals with`);
  return found;
}

interface Place {
  readonly namespace?: string | undefined;
  readonly name?: string;
  readonly subresource?: 'status' | 'scale' | 'log' | 'exec';
}

/** /apis/batch/v1/namespaces/shop/jobs/x/status, every part encoded. Throws where a name cannot be one. */
export function resourcePath(kind: string, { namespace, name, subresource }: Place = {}): string {
  const { apiVersion, plural } = resourceType(kind);
  const root = apiVersion.includes('/') ? ['apis', ...apiVersion.split('/')] : ['api', apiVersion];
  const parts = [
    ...root,
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return `/${parts.map(encode).join('/')}`;
}

/**
 * An empty name would make a path of the whole collection, which a DELETE empties; `.` and `..` stay as they are in an
 * encoded path, and lead out of it.
 */
function encode(part: string): string {
  if (part === '' || part === '.' || part === '..') throw new Error(`"${part}" is no name of a Kubernetes object`);
  return encodeURIComponent(part);
}
