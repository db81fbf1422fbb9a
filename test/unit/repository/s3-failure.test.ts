import { expect, test } from 'vitest';
import { terminal } from '../../../src/domain/failure.ts';
import { s3Failure } from '../../../src/repository/s3-failure.ts';

const call = {
  operation: 'store',
  bucket: 'backups',
  key: 'shop/a',
  endpoint: 'https://s3.example.org',
  credentials: 'the Secret store',
};
const answer = (name: string, httpStatusCode: number, message = '') =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode } });
const network = (code: string, message = code) => Object.assign(new Error(message), { code });

test.each([
  [answer('NoSuchBucket', 404), 'NoSuchBucket', false],
  [answer('NoSuchKey', 404), 'NoSuchObject', false],
  [answer('NotFound', 404), 'NoSuchObject', false],
  [answer('AccessDenied', 403), 'AccessDenied', false],
  [answer('403', 403), 'AccessDenied', false],
  [answer('InvalidAccessKeyId', 403), 'WrongCredentials', false],
  [answer('SignatureDoesNotMatch', 403), 'WrongCredentials', false],
  [answer('ExpiredToken', 400), 'ExpiredToken', true],
  [answer('RequestTimeTooSkewed', 403), 'ClockSkew', false],
  [answer('PermanentRedirect', 301), 'WrongRegion', false],
  [answer('AuthorizationHeaderMalformed', 400), 'WrongRegion', false],
  [answer('QuotaExceeded', 403), 'StoreFull', false],
  [answer('XMinioStorageFull', 507), 'StoreFull', false],
  [answer('SomethingElse', 507), 'StoreFull', false],
  [answer('SlowDown', 503), 'SlowDown', true],
  [answer('Unheard', 429), 'SlowDown', true],
  [answer('InternalError', 500), 'StoreError', true],
  [answer('SyntaxError', 502, 'not XML'), 'StoreError', true],
  [answer('PreconditionFailed', 412), 'ObjectExists', false],
  [answer('ConditionalRequestConflict', 409), 'WriteConflict', true],
  [answer('BadDigest', 400), 'ChecksumMismatch', true],
  [answer('XAmzContentSHA256Mismatch', 400), 'ChecksumMismatch', true],
  [answer('NoSuchUpload', 404), 'UploadLost', true],
  [answer('InvalidObjectState', 403), 'ObjectArchived', false],
  [answer('EntityTooLarge', 400), 'ObjectTooLarge', false],
  [answer('NotImplemented', 501), 'NotSupported', false],
  [answer('KMS.DisabledException', 400), 'EncryptionKeyRefused', false],
  [answer('InvalidRange', 416), 'InvalidRange', false],
  [answer('Odd', 400), 'StoreError', false],
  [Object.assign(new Error('no'), { name: 'CredentialsProviderError' }), 'CredentialsMissing', false],
  [network('ENOTFOUND'), 'StoreUnreachable', true],
  [network('EAI_AGAIN'), 'StoreUnreachable', true],
  [network('ECONNREFUSED'), 'StoreUnreachable', true],
  [network('ECONNRESET'), 'StoreUnreachable', true],
  [network('EPIPE'), 'StoreUnreachable', true],
  [network('EHOSTUNREACH'), 'StoreUnreachable', true],
  [Object.assign(new Error('slow'), { name: 'TimeoutError' }), 'StoreUnreachable', true],
  [answer('RequestTimeout', 400), 'StoreUnreachable', true],
  [network('SELF_SIGNED_CERT_IN_CHAIN'), 'UntrustedCertificate', false],
  [network('DEPTH_ZERO_SELF_SIGNED_CERT'), 'UntrustedCertificate', false],
  [network('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'UntrustedCertificate', false],
  [network('CERT_HAS_EXPIRED'), 'UntrustedCertificate', false],
  [network('ERR_TLS_CERT_ALTNAME_INVALID'), 'UntrustedCertificate', false],
  [network('ERR_SSL_WRONG_VERSION_NUMBER'), 'WrongProtocol', false],
  [network('EPROTO'), 'WrongProtocol', false],
  ['thrown text', 'StoreError', false],
])('%s is %s', (error, reason, retryable) => {
  expect(s3Failure(error, call)).toMatchObject({ reason, retryable });
});

test('a message says what failed, where, why, and what to do', () => {
  expect(s3Failure(answer('NoSuchBucket', 404), call).message).toBe(
    'Cannot store s3://backups/shop/a at https://s3.example.org: the bucket backups does not exist. Create it, or correct spec.s3.bucket.',
  );
});

test('a network error that another wraps is found', () => {
  const wrapped = new Error('request failed', { cause: network('ECONNREFUSED') });
  expect(s3Failure(wrapped, call).reason).toBe('StoreUnreachable');
});

test('a Failure stays what it is, also wrapped', () => {
  const missing = terminal('CredentialsMissing', 'no Secret');
  expect(s3Failure(missing, call)).toBe(missing);
  expect(s3Failure(new Error('provider', { cause: missing }), call)).toBe(missing);
});

test('a precondition that fails while reading is another object, not an existing one', () => {
  expect(s3Failure(answer('PreconditionFailed', 412), { ...call, operation: 'read' }).reason).toBe('ObjectChanged');
});

test('what a refused signature carries reaches neither the message nor the cause', () => {
  const refused = Object.assign(answer('SignatureDoesNotMatch', 403, 'does not match'), {
    StringToSign: 'x-amz-security-token:SECRET-TOKEN',
    CanonicalRequest: 'SECRET-TOKEN',
  });
  const failure = s3Failure(refused, call);
  expect(
    `${failure.message} ${failure.stack} ${JSON.stringify(failure)} ${JSON.stringify(failure.cause)}`,
  ).not.toContain('SECRET-TOKEN');
});
