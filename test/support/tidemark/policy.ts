/** A BackupPolicy for a scenario's `orders-db`, without schedules unless asked for; `spec` is laid over it. */
export function logicalPolicy(
  namespace: string,
  spec: Readonly<Record<string, unknown>> = {},
  name = 'orders',
): object {
  return {
    apiVersion: 'tidemark.dev/v1alpha1',
    kind: 'BackupPolicy',
    metadata: { name, namespace },
    spec: {
      source: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, credentialsSecretRef: { name: 'orders-db' } },
      repositoryRefs: [{ name: 'offsite' }],
      jobTemplate: { backoffLimit: 0 },
      ...spec,
    },
  };
}

export function backupRun(namespace: string, name: string, spec: Readonly<Record<string, unknown>> = {}): object {
  return {
    apiVersion: 'tidemark.dev/v1alpha1',
    kind: 'BackupRun',
    metadata: { name, namespace },
    spec: { policyRef: { name: 'orders' }, method: 'Logical', ...spec },
  };
}

export function restoreRequest(namespace: string, name: string, spec: Readonly<Record<string, unknown>>): object {
  return {
    apiVersion: 'tidemark.dev/v1alpha1',
    kind: 'RestoreRequest',
    metadata: { name, namespace },
    spec: {
      target: {
        server: {
          workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
          credentialsSecretRef: { name: 'orders-db' },
        },
      },
      ...spec,
    },
  };
}
