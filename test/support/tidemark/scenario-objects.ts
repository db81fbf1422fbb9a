/** The custom resources that scenarios and the demo have in common, as a user writes them. */

/** `others`: the namespaces whose backups are read as well. */
export function s3Repository(
  namespace: string,
  name: string,
  endpoint: string,
  bucket: string,
  others: readonly string[] = [],
): object {
  return {
    apiVersion: 'tidemark.dev/v1alpha1',
    kind: 'BackupRepository',
    metadata: { name, namespace },
    spec: {
      s3: { bucket, prefix: 'test', endpoint, credentialsSecretRef: { name: `${name}-s3` } },
      ...(others.length === 0 ? {} : { catalogue: { namespaces: others } }),
    },
  };
}
