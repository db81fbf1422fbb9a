import { kinds } from '../../../src/api/kinds.ts';
import type { Scenario } from './scenario.ts';

/** A ServiceAccount whose one Role is to create and change our kinds in the scenario's namespace. */
export interface Tenant {
  readonly user: string;
  /** As kubectl apply does it, server-side. */
  apply(object: object): Promise<string>;
  patch(resource: string, name: string, patch: object): Promise<string>;
  /** By the API server's own answer. */
  may(verb: string, resource: string, namespace: string): Promise<boolean>;
}

export async function createTenant({ kubectl, namespace, apply }: Scenario): Promise<Tenant> {
  const metadata = { name: 'tenant', namespace };
  await apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata,
      rules: [
        {
          apiGroups: ['tidemark.dev'],
          resources: kinds.map(({ plural }) => plural),
          verbs: ['get', 'list', 'create', 'update', 'patch', 'delete'],
        },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'tenant' },
      subjects: [{ kind: 'ServiceAccount', name: 'tenant', namespace }],
    },
  );
  const user = `system:serviceaccount:${namespace}:tenant`;
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
  const as = [`--as=${user}`, ...groups.map((group) => `--as-group=${group}`)];
  return {
    user,
    apply: (object) =>
      kubectl.run(['apply', '--server-side', '--force-conflicts', ...as, '-f', '-'], { input: JSON.stringify(object) }),
    patch: (resource, name, patch) =>
      kubectl.run(['patch', resource, name, '--type=merge', '-p', JSON.stringify(patch), ...as], { namespace }),
    async may(verb, resource, where) {
      const [kind = '', subresource] = resource.split('/');
      const sub = subresource === undefined ? [] : [`--subresource=${subresource}`];
      const said = await kubectl
        .run(['auth', 'can-i', verb, kind, ...sub, ...as], { namespace: where })
        .catch((error: unknown) => String(error));
      return /^yes\b/.test(said.trim());
    },
  };
}
