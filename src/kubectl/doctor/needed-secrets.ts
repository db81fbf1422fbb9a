import type { BackupPolicy, BackupRepository } from '../../api/kinds.ts';

export interface NeededSecret {
  readonly name: string;
  /** Keys it must have; none: any will do. */
  readonly keys: readonly string[];
  readonly for: string;
}

export function secretsOfPolicy({ spec }: BackupPolicy): readonly NeededSecret[] {
  const { credentialsSecretRef, tls } = spec.source;
  return [
    { name: credentialsSecretRef.name, keys: ['username', 'password'], for: 'the server' },
    ...keyed(tls?.caSecretRef, "the server's certificate authority"),
    ...(tls?.clientCertificateSecretRef === undefined
      ? []
      : [{ name: tls.clientCertificateSecretRef.name, keys: ['tls.crt', 'tls.key'], for: 'the client certificate' }]),
    ...(spec.jobTemplate.imagePullSecrets ?? []).map(({ name }) => ({ name, keys: [], for: 'pulling images' })),
  ];
}

export function secretsOfRepository({ metadata, spec }: BackupRepository): readonly NeededSecret[] {
  const { s3, azureBlob, googleCloudStorage, rclone, encryption } = spec;
  const of = (what: string) => `${what} of repository ${metadata.name}`;
  const credentials = (ref: { readonly name: string } | undefined, keys: readonly string[]) =>
    ref === undefined ? [] : [{ name: ref.name, keys, for: of('the store') }];
  return [
    ...credentials(s3?.credentialsSecretRef, ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']),
    ...keyed(s3?.caBundleSecretRef, of('the certificate authority')),
    ...credentials(azureBlob?.credentialsSecretRef, []),
    ...credentials(googleCloudStorage?.credentialsSecretRef, ['service-account.json']),
    ...keyed(rclone?.configSecretRef, of("rclone's configuration")),
    ...keyed(encryption?.age?.identitySecretRef, of('decryption, which restores need,')),
    ...keyed(encryption?.gpg?.publicKeySecretRef, of('the public keys')),
    ...keyed(encryption?.gpg?.identitySecretRef, of('decryption, which restores need,')),
  ];
}

function keyed(
  ref: { readonly name: string; readonly key: string } | undefined,
  what: string,
): readonly NeededSecret[] {
  return ref === undefined ? [] : [{ name: ref.name, keys: [ref.key], for: what }];
}
