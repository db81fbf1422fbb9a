/**
 * The service account's token, for the agent's container and no other: in a recovery the server beside it may run what
 * stands in a backup or an assertion, under an image that somebody names. Where and as the kubelet would lay it
 * (Kubernetes, "Configure Service Accounts for Pods").
 */
export const apiAccess = {
  mount: { name: 'api-access', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
  volume: {
    name: 'api-access',
    projected: {
      defaultMode: 0o444,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
      ],
    },
  },
} as const;
