import type { Kubectl } from './kubectl.ts';

/** The API server's own answer to whether a user may do what the attributes say; a missing `namespace` means all of them. */
export async function isAllowed(
  kubectl: Kubectl,
  user: string,
  resourceAttributes: Readonly<Record<string, string>>,
): Promise<boolean> {
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { user, groups: ['system:serviceaccounts', 'system:authenticated'], resourceAttributes },
  };
  const answer = await kubectl.run(['create', '-f', '-', '-o', 'json'], { input: JSON.stringify(review) });
  return (JSON.parse(answer) as { readonly status: { readonly allowed: boolean } }).status.allowed;
}

export function serviceAccountOf(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}
