import type { Failure } from '../domain/failure.ts';
import {
  bounded,
  type ErrorKind,
  failureOf,
  findFailure,
  kindOfNetwork,
  mend,
  networkCode,
  pass,
} from './error-kind.ts';

/** What was being done, for the message. Nothing here is secret. */
export interface AzureErrorCall {
  /** As a verb phrase with its object. */
  readonly what: string;
  readonly operation: string;
  readonly container: string;
  readonly endpoint: string;
  readonly credentialsFrom: string;
}

/** The one place where an error of Azure, of its client or of the network becomes a Failure. Pure. */
export function azureFailure(error: unknown, call: AzureErrorCall): Failure {
  const found = findFailure(error);
  if (found !== undefined) return found;
  const facts = readError(error);
  const said = facts.message === '' ? facts.code : `${facts.code} (${facts.message})`;
  // The emulator calls a wrong signature a lack of rights.
  const code = /failed to authenticate/i.test(facts.message) ? 'AuthenticationFailed' : facts.code;
  const kind = byCode(code, said, call) ??
    kindOfNetwork(facts.code, said, {
      endpoint: call.endpoint,
      field: 'spec.azureBlob.endpoint',
      trust: 'Give the store a certificate that leads',
    }) ??
    byStatus(facts.status, said, call) ?? {
      reason: 'StoreError',
      retryable: false,
      why: `Azure answered ${said}`,
      remedy: 'Look the code up in the documentation of Azure Storage.',
    };
  return failureOf(kind, `${call.what} at ${call.endpoint}`, facts);
}

function byCode(code: string, said: string, call: AzureErrorCall): ErrorKind | undefined {
  switch (code) {
    case 'ContainerNotFound':
    case 'ContainerBeingDeleted':
      return mend(
        'NoSuchBucket',
        `the container ${call.container} does not exist`,
        'Create it, or correct spec.azureBlob.container.',
      );
    case 'BlobNotFound':
    case 'ResourceNotFound':
      return mend('NoSuchObject', 'there is no such object', 'It was never stored or has been removed.');
    case 'BlobAlreadyExists':
      return exists();
    case 'ConditionNotMet':
    case 'TargetConditionNotMet':
      return byCondition(call);
    case 'AuthenticationFailed':
    case 'InvalidAuthenticationInfo':
    case 'NoAuthenticationInformation':
      return mend(
        'WrongCredentials',
        `Azure does not accept the credentials of ${call.credentialsFrom} (${code})`,
        'Correct the account and the key there, or renew the SAS token; look at the clock of the node too.',
      );
    case 'AuthorizationPermissionMismatch':
    case 'AuthorizationFailure':
    case 'AuthorizationServiceMismatch':
    case 'AuthorizationResourceTypeMismatch':
    case 'AuthorizationProtocolMismatch':
    case 'AuthorizationSourceIPMismatch':
    case 'InsufficientAccountPermissions':
    case 'KeyBasedAuthenticationNotPermitted':
      return denied(said, call);
    case 'AccountIsDisabled':
      return mend('AccessDenied', 'the storage account is disabled', 'Enable it.');
    case 'BlobImmutableDueToPolicy':
    case 'BlobImmutableDueToLegalHold':
      return mend(
        'AccessDenied',
        `an object lock of the store holds it (${code})`,
        'It can go when its immutability policy has run out or its legal hold is taken off.',
      );
    case 'LeaseIdMissing':
    case 'LeaseAlreadyPresent':
      return mend('AccessDenied', `somebody holds a lease on the object (${code})`, 'Break the lease.');
    case 'ServerBusy':
    case 'OperationTimedOut':
      return pass(
        'SlowDown',
        `Azure asks for fewer requests (${code})`,
        'It is tried again; if it stays so, run fewer Jobs at once.',
      );
    case 'InternalError':
      return pass(
        'StoreError',
        `Azure failed (${said})`,
        'It is tried again; if it stays so, look at the status of Azure.',
      );
    case 'Md5Mismatch':
    case 'Crc64Mismatch':
      return pass(
        'ChecksumMismatch',
        `the bytes were damaged on their way (${code})`,
        'If it happens again, check the network.',
      );
    case 'InvalidBlockList':
    case 'InvalidBlobOrBlock':
      return pass(
        'UploadLost',
        'Azure no longer knows the blocks of the upload',
        'Look who else writes the same object; blocks that are not committed are lost after a week.',
      );
    case 'BlobArchived':
      return mend(
        'ObjectArchived',
        'the object is in the archive tier and must be brought back first',
        'Rehydrate it, then try again.',
      );
    case 'InvalidRange':
      return mend('InvalidRange', 'it has no such bytes', 'It is shorter than was expected.');
    case 'RequestBodyTooLarge':
    case 'BlockCountExceedsLimit':
      return mend(
        'ObjectTooLarge',
        `Azure takes no object of this size (${said})`,
        'Use the format Directory, which is stored in many objects.',
      );
    case 'FeatureVersionMismatch':
    case 'UnsupportedHeader':
    case 'InvalidBlobType':
    case 'BlobTypeNotSupported':
      return mend('NotSupported', `the store cannot do this (${said})`, 'Use a storage account with block blobs.');
  }
  return undefined;
}

function byCondition(call: AzureErrorCall): ErrorKind {
  if (!call.operation.startsWith('read')) return exists();
  return mend(
    'ObjectChanged',
    'the object was replaced while it was read',
    'Find out who writes under the repository’s prefix.',
  );
}

function exists(): ErrorKind {
  return mend(
    'ObjectExists',
    'the object is already there, and nothing is ever overwritten',
    'Look who else writes there.',
  );
}

function denied(said: string, { credentialsFrom }: AzureErrorCall): ErrorKind {
  return mend(
    'AccessDenied',
    `${credentialsFrom} may not do this (${said})`,
    'Give it the role Storage Blob Data Contributor on the container, or a SAS token with the permissions racwdl; look at the firewall of the storage account too.',
  );
}

function byStatus(status: number | undefined, said: string, call: AzureErrorCall): ErrorKind | undefined {
  if (status === undefined) return undefined;
  if (status === 401) return byCode('AuthenticationFailed', said, call);
  if (status === 403) return denied(said, call);
  if (status === 404) return byCode('BlobNotFound', said, call);
  if (status === 412) return byCondition(call);
  if (status === 416) return byCode('InvalidRange', said, call);
  if (status === 429) return byCode('ServerBusy', said, call);
  if (status === 409)
    return pass(
      'WriteConflict',
      `somebody else works on the same object at this moment (${said})`,
      'Look who else writes there.',
    );
  if (status >= 500) return byCode('InternalError', said, call);
  return undefined;
}

interface Facts {
  readonly code: string;
  readonly status: number | undefined;
  readonly message: string;
}

function readError(error: unknown): Facts {
  if (!(error instanceof Error)) return { code: 'UnknownError', status: undefined, message: bounded(String(error)) };
  const status: unknown = Reflect.get(error, 'statusCode');
  const own = networkCode(error) ?? codeOf(error) ?? error.name;
  return {
    // What we abort ourselves never comes here (attempts.ts): the client calls an answer that broke off so.
    code: own === 'REQUEST_SEND_ERROR' || error.name === 'AbortError' ? 'ECONNRESET' : own,
    status: typeof status === 'number' ? status : undefined,
    message: bounded(error.message.split('\n', 1)[0] ?? ''),
  };
}

/** Of the answer's own header where the client has not read it: the answer to a HEAD has no body. */
function codeOf(error: Error): string | undefined {
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code === 'string' && code !== '') return code;
  const response: unknown = Reflect.get(error, 'response');
  if (typeof response !== 'object' || response === null) return undefined;
  const headers: unknown = Reflect.get(response, 'headers');
  if (typeof headers !== 'object' || headers === null || !('get' in headers) || typeof headers.get !== 'function')
    return undefined;
  const said: unknown = headers.get('x-ms-error-code');
  return typeof said === 'string' ? said : undefined;
}
