import { type ErrorKind, mend, pass } from './error-kind.ts';
import type { S3Call } from './s3-failure.ts';

interface Seen {
  readonly code: string;
  /** The code with the store's own words. */
  readonly said: string;
  readonly call: S3Call;
}

/** By the codes of S3 and of its compatible stores; undefined for one that nobody knows. */
export function kindOfCode(seen: Seen): ErrorKind | undefined {
  const known = kinds.find(({ codes }) => codes.includes(seen.code));
  if (known !== undefined) return known.kind(seen);
  if (!seen.code.startsWith('KMS.')) return undefined;
  return mend(
    'EncryptionKeyRefused',
    `the key of the server-side encryption cannot be used (${seen.said})`,
    'Correct spec.s3.serverSideEncryption, or the policy of the key.',
  );
}

export function denied(said: string, call: S3Call): ErrorKind {
  return mend(
    'AccessDenied',
    `${call.credentials} may not do this (${said})`,
    'Allow s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads on the bucket and the prefix.',
  );
}

const kinds: readonly { readonly codes: readonly string[]; readonly kind: (seen: Seen) => ErrorKind }[] = [
  {
    codes: ['NoSuchBucket'],
    kind: ({ call }) =>
      mend('NoSuchBucket', `the bucket ${call.bucket} does not exist`, 'Create it, or correct spec.s3.bucket.'),
  },
  {
    codes: ['NoSuchKey', 'NotFound'],
    kind: () => mend('NoSuchObject', 'there is no such object', 'It was never stored or has been removed.'),
  },
  {
    codes: [
      'InvalidAccessKeyId',
      // versitygw
      'XAdminUserNotFound',
      'SignatureDoesNotMatch',
      'InvalidToken',
      'AuthorizationQueryParametersError',
      'InvalidSecurity',
    ],
    kind: ({ code, call }) =>
      mend(
        'WrongCredentials',
        `the store does not accept the credentials of ${call.credentials} (${code})`,
        'Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY there.',
      ),
  },
  // Retryable: a token that something renews is read again from its file.
  {
    codes: ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'],
    kind: ({ call }) =>
      pass('ExpiredToken', `the session token of ${call.credentials} has expired`, 'Renew AWS_SESSION_TOKEN there.'),
  },
  {
    codes: ['CredentialsProviderError', 'TokenProviderError'],
    kind: ({ said }) =>
      mend(
        'CredentialsMissing',
        `no credentials were found (${said})`,
        'Set spec.s3.credentialsSecretRef, or give the service account of the Job an identity of the cloud.',
      ),
  },
  {
    codes: ['AccessDenied', 'AllAccessDisabled', 'AccountProblem'],
    kind: ({ said, call }) => denied(said, call),
  },
  {
    codes: ['RequestTimeTooSkewed', 'RequestExpired'],
    kind: ({ code }) =>
      mend(
        'ClockSkew',
        `the clocks of the node and of the store differ too much (${code})`,
        'Set the clock of the node right.',
      ),
  },
  {
    codes: [
      'PermanentRedirect',
      'AuthorizationHeaderMalformed',
      'IllegalLocationConstraintException',
      'TemporaryRedirect',
    ],
    kind: ({ said }) =>
      mend('WrongRegion', `the bucket is not in this region (${said})`, 'Correct spec.s3.region, or spec.s3.endpoint.'),
  },
  {
    codes: [
      'QuotaExceeded',
      'QuotaExceededException',
      'ServiceQuotaExceededException',
      'InsufficientCapacity',
      'InsufficientStorage',
      'TotalSizeLimitExceeded',
      'XMinioStorageFull',
      'XMinioAdminBucketQuotaExceeded',
      'XMinioDiskFull',
    ],
    kind: ({ said }) =>
      mend(
        'StoreFull',
        `the store has no room left (${said})`,
        'Give it more room or raise its quota, or remove backups.',
      ),
  },
  {
    codes: [
      'SlowDown',
      'SlowDownRead',
      'SlowDownWrite',
      'Throttling',
      'ThrottlingException',
      'TooManyRequestsException',
      'RequestLimitExceeded',
      'BandwidthLimitExceeded',
    ],
    kind: ({ code }) =>
      pass(
        'SlowDown',
        `the store asks for fewer requests (${code})`,
        'It is tried again; if it stays so, run fewer Jobs at once.',
      ),
  },
  {
    codes: ['PreconditionFailed'],
    kind: ({ call }) =>
      call.operation.startsWith('read')
        ? mend(
            'ObjectChanged',
            'the object was replaced while it was read',
            'Find out who writes under the repository’s prefix.',
          )
        : mend(
            'ObjectExists',
            'the object is already there, and nothing is ever overwritten',
            'Look who else writes there.',
          ),
  },
  {
    codes: ['ConditionalRequestConflict', 'OperationAborted'],
    kind: () =>
      pass('WriteConflict', 'somebody else writes the same object at this moment', 'Look who else writes there.'),
  },
  {
    codes: ['BadDigest', 'InvalidDigest', 'XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch', 'IncompleteBody'],
    kind: ({ code }) =>
      pass(
        'ChecksumMismatch',
        `the bytes were damaged on their way (${code})`,
        'If it happens again, check the network.',
      ),
  },
  {
    codes: ['NoSuchUpload'],
    kind: () =>
      pass(
        'UploadLost',
        'the store no longer knows the unfinished upload',
        'Look for a lifecycle rule that ends unfinished uploads too early, and start again.',
      ),
  },
  {
    codes: ['InvalidObjectState'],
    kind: () =>
      mend(
        'ObjectArchived',
        'the object is in an archive class and must be brought back first',
        'Restore it in the store, then try again.',
      ),
  },
  {
    codes: ['InvalidRange'],
    kind: () => mend('InvalidRange', 'it has no such bytes', 'It is shorter than was expected.'),
  },
  {
    codes: ['EntityTooLarge'],
    kind: ({ said }) =>
      mend('ObjectTooLarge', `the store takes no object of this size (${said})`, 'Raise the limit of the store.'),
  },
  {
    codes: ['NotImplemented', 'MethodNotAllowed'],
    kind: ({ said }) =>
      mend('NotSupported', `the store cannot do this (${said})`, 'Use a store or a version of it that can.'),
  },
];
