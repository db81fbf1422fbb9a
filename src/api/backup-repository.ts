import { z } from 'zod';
import { catalogueStatus } from './catalogue.ts';
import { conditions } from './condition.ts';
import {
  exactlyOne,
  formed,
  integer,
  labelName,
  list,
  localRef,
  objectName,
  ruled,
  secretKeyRef,
  text,
  time,
  wideInteger,
} from './schema.ts';

const segment = '[A-Za-z0-9_][A-Za-z0-9._=-]*';
/** A key prefix or a folder: no empty, no hidden and no parent segment, so that nothing outside it can be named. */
const prefix = formed(
  `^${segment}(/${segment})*$`,
  512,
  'must be a path such as prod/eu: no leading, trailing or double slash, no ..',
);
const url = formed(
  '^https?://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[-A-Za-z0-9._~/]*)?$',
  512,
  'must be an http or https URL',
);

const s3 = z.object({
  bucket: formed(
    '^[a-z0-9][a-z0-9.-]*[a-z0-9]$',
    63,
    'must be a bucket name: 3 to 63 lower-case letters, digits, dots, hyphens',
    3,
  ),
  prefix: prefix.optional(),
  region: formed('^[a-z0-9-]+$', 64, 'must be a region such as eu-west-1').default('us-east-1'),
  endpoint: url.optional(),
  forcePathStyle: z.boolean().optional(),
  credentialsSecretRef: localRef.optional(),
  caBundleSecretRef: secretKeyRef.optional(),
  storageClass: formed('^[A-Z][A-Z0-9_-]*$', 64, 'must be a storage class such as STANDARD_IA').optional(),
  checksumMode: z.enum(['WhenRequired', 'WhenSupported']).optional(),
  serverSideEncryption: ruled(
    z.object({ algorithm: z.enum(['AES256', 'aws:kms']), kmsKeyID: text(2048, 1).optional() }),
    {
      cel: "!has(self.kmsKeyID) || self.algorithm == 'aws:kms'",
      message: 'kmsKeyID needs algorithm aws:kms',
      holds: ({ algorithm, kmsKeyID }) => kmsKeyID === undefined || algorithm === 'aws:kms',
    },
  ).optional(),
});

const volume = z.object({ claimName: objectName, path: prefix.default('tidemark') });

const azureBlob = z.object({
  container: formed('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', 63, 'must be a container name', 3),
  prefix: prefix.optional(),
  endpoint: url.optional(),
  credentialsSecretRef: localRef.optional(),
});

const googleCloudStorage = z.object({
  bucket: formed('^[a-z0-9][a-z0-9._-]*[a-z0-9]$', 222, 'must be a bucket name', 3),
  prefix: prefix.optional(),
  endpoint: url.optional(),
  credentialsSecretRef: localRef.optional(),
});

const rclone = z.object({
  remote: formed(
    '^[A-Za-z0-9_][-A-Za-z0-9_.+@]*:[-A-Za-z0-9_./]*$',
    512,
    'must be an rclone remote and path such as offsite:backups/prod',
  ),
  configSecretRef: secretKeyRef,
});

/** The alphabet is that of Bech32. What begins with age1pq1 is a hybrid post-quantum key, for an age that has them. */
const recipient = formed(
  '^(age1(pq1)?[02-9ac-hj-np-z]{58,}|ssh-(ed25519|rsa) [A-Za-z0-9+/]{64,}={0,2}( [^\\x00-\\x1f\\x7f]*)?)$',
  4096,
  'must be the public key age1… that age-keygen -y prints, or an ssh-ed25519 or ssh-rsa public key; never an identity (AGE-SECRET-KEY-1…)',
);

/** A name or a short ID can be another's too. */
const fingerprint = formed(
  '^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$',
  64,
  'must be the whole fingerprint of a key, 40 hexadecimal digits without spaces, as gpg --list-keys prints it',
);

const encryption = ruled(
  z.object({
    age: z
      .object({
        recipients: list(recipient, 16, 1),
        identitySecretRef: secretKeyRef.optional(),
      })
      .optional(),
    gpg: z
      .object({
        publicKeySecretRef: secretKeyRef,
        recipients: list(fingerprint, 16, 1),
        identitySecretRef: secretKeyRef.optional(),
      })
      .optional(),
  }),
  exactlyOne('age', 'gpg'),
);

export const backupRepositorySpec = ruled(
  z.object({
    s3: s3.optional(),
    volume: volume.optional(),
    azureBlob: azureBlob.optional(),
    googleCloudStorage: googleCloudStorage.optional(),
    rclone: rclone.optional(),
    encryption: encryption.optional(),
    accessMode: z.enum(['ReadWrite', 'ReadOnly']).default('ReadWrite'),
    catalogue: z.object({ namespaces: list(labelName, 16, 1) }).optional(),
  }),
  exactlyOne('s3', 'volume', 'azureBlob', 'googleCloudStorage', 'rclone'),
);

export const backupRepositoryStatus = z.object({
  observedGeneration: integer(-1, Number.MAX_SAFE_INTEGER).optional(),
  conditions: conditions.optional(),
  capabilities: z.object({ conditionalPut: z.boolean().optional(), objectLock: z.boolean().optional() }).optional(),
  backups: integer(0, 2_147_483_647).optional(),
  storedBytes: wideInteger.optional(),
  lastSyncTime: time.optional(),
  catalogue: catalogueStatus.optional(),
  /** What the last probe found: the agent's facts, from which the operator derives Ready. */
  probe: z
    .object({
      generation: integer(0, Number.MAX_SAFE_INTEGER),
      outcome: z.enum(['Succeeded', 'Failed']),
      reason: text(128),
      message: text(4096),
      time,
    })
    .optional(),
});

export type BackupRepositorySpec = z.output<typeof backupRepositorySpec>;
export type BackupRepositoryStatus = z.output<typeof backupRepositoryStatus>;
