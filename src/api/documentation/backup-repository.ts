import type { Documentation } from './shared.ts';

export const backupRepository: Documentation = {
  s3: 'A bucket of S3, or of any service that speaks its protocol. Exactly one of s3, volume, azureBlob, googleCloudStorage and rclone.',
  's3.bucket': "The bucket's name; the bucket must exist.",
  's3.prefix': 'What every key begins with, such as prod.',
  's3.region': "The bucket's region.",
  's3.endpoint': 'The address of a service other than AWS, such as https://s3.example.com.',
  's3.forcePathStyle': 'Puts the bucket into the path instead of the host name; default: true when endpoint is set.',
  's3.credentialsSecretRef': "Absent: the workload identity of the agent's service account.",
  's3.credentialsSecretRef.name':
    'A Secret with the keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and perhaps AWS_SESSION_TOKEN.',
  's3.caBundleSecretRef': "The certificate authorities that signed the endpoint's certificate, in PEM.",
  's3.caBundleSecretRef.name': "The Secret's name.",
  's3.caBundleSecretRef.key': 'The key in the Secret, such as ca.crt.',
  's3.storageClass': 'The storage class of the objects, such as STANDARD_IA.',
  's3.checksumMode':
    'When the SDK adds checksums of its own; default: WhenRequired with endpoint, for services that do not know them.',
  's3.serverSideEncryption': 'Encryption by the service; the bucket may have a default of its own.',
  's3.serverSideEncryption.algorithm': 'AES256 or aws:kms.',
  's3.serverSideEncryption.kmsKeyID': 'The key, with aws:kms.',
  volume: 'A PersistentVolumeClaim of this namespace.',
  'volume.claimName': "The claim's name.",
  'volume.path': 'The folder in the volume.',
  azureBlob: 'A container of Azure Blob Storage.',
  'azureBlob.container': "The container's name.",
  'azureBlob.prefix': 'What every name begins with.',
  'azureBlob.endpoint':
    'The address of the account, such as https://ACCOUNT.blob.core.windows.net, where the Secret does not say it.',
  'azureBlob.credentialsSecretRef': 'Absent: workload identity.',
  'azureBlob.credentialsSecretRef.name':
    'A Secret with AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN.',
  googleCloudStorage: 'A bucket of Google Cloud Storage.',
  'googleCloudStorage.bucket': "The bucket's name.",
  'googleCloudStorage.prefix': 'What every name begins with.',
  'googleCloudStorage.endpoint': 'The address of a service other than the public one.',
  'googleCloudStorage.credentialsSecretRef': 'Absent: workload identity.',
  'googleCloudStorage.credentialsSecretRef.name': 'A Secret with the key service-account.json.',
  rclone: 'Anything that rclone reaches: SFTP, WebDAV, Backblaze B2, Swift and others.',
  'rclone.remote': 'A remote of the configuration and a path, such as offsite:backups/prod.',
  'rclone.configSecretRef':
    "rclone's configuration file. The Secret's key known_hosts, if there is one, holds the host keys of SFTP servers.",
  'rclone.configSecretRef.name': "The Secret's name.",
  'rclone.configSecretRef.key': 'The key in the Secret, such as rclone.conf.',
  encryption: 'Encrypts before anything leaves the agent. Exactly one of age and gpg.',
  'encryption.age': 'By age: every object of a backup and every WAL segment is an age file.',
  'encryption.age.recipients':
    'Public keys (age1…, or of SSH): all that a backup needs. Any one of their identities restores.',
  'encryption.age.identitySecretRef':
    'The identities, needed by restores and verification only, and mounted in no other pod. A file may hold several.',
  'encryption.age.identitySecretRef.name': "The Secret's name.",
  'encryption.age.identitySecretRef.key': 'The key in the Secret, such as identity.txt.',
  'encryption.gpg': 'By GnuPG: every object of a backup and every WAL segment is an OpenPGP message.',
  'encryption.gpg.publicKeySecretRef':
    'The public keys, as gpg --export writes them, armored or not: all that a backup needs.',
  'encryption.gpg.publicKeySecretRef.name': "The Secret's name.",
  'encryption.gpg.publicKeySecretRef.key': 'The key in the Secret, such as public.asc.',
  'encryption.gpg.recipients':
    'The fingerprints of those of them that can restore; any one of their private keys does.',
  'encryption.gpg.identitySecretRef':
    'Private keys without a passphrase, needed by restores and verification only, and mounted in no other pod. A file may hold several.',
  'encryption.gpg.identitySecretRef.name': "The Secret's name.",
  'encryption.gpg.identitySecretRef.key': 'The key in the Secret, such as private.asc.',
  accessMode: "ReadOnly: nothing is ever written, as when a second cluster reads the first one's repository.",
  catalogue: 'Whose backups become BackupRuns here.',
  'catalogue.namespaces':
    'Namespaces as the repository has them; default: this one alone. Name another one only where whoever uses this namespace may see its backups.',
};
