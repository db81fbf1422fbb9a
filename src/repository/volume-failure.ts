import { Failure } from '../domain/failure.ts';

/** What was being done, for the message. */
export interface VolumeCall {
  readonly operation: string;
  readonly path: string;
  readonly claimName: string;
}

/** The one place where an error of the file system becomes a Failure. Pure. */
export function volumeFailure(error: unknown, { operation, path, claimName }: VolumeCall): Failure {
  if (error instanceof Failure) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const { reason, retryable, why, remedy } = classify(code, claimName);
  return new Failure(reason, `Cannot ${operation} ${path} on the volume of ${claimName}: ${why}. ${remedy}`, {
    retryable,
    cause: error,
  });
}

function classify(code: string, claimName: string) {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return mend('StoreFull', `it has no room left (${code})`, `Enlarge the claim ${claimName}, or remove backups.`);
    case 'ENOENT':
      return mend('NoSuchObject', 'there is no such file', 'It was never stored or has been removed.');
    case 'EEXIST':
    case 'EISDIR':
      return mend(
        'ObjectExists',
        'the file is already there, and nothing is ever overwritten',
        'Look who else writes there.',
      );
    case 'ENOTDIR':
    case 'ELOOP':
      return mend('InvalidKey', `a file or a symbolic link stands where a folder should be (${code})`, 'Remove it.');
    case 'EACCES':
    case 'EPERM':
      return mend(
        'AccessDenied',
        `the Job’s user may not do this (${code})`,
        'Give the volume to the group of the Job (fsGroup), or set the permissions of its folder.',
      );
    case 'EROFS':
      return mend(
        'AccessDenied',
        'it is mounted read-only',
        `Make the claim ${claimName} writable, or set accessMode: ReadOnly.`,
      );
    case 'EIO':
    case 'ESTALE':
    case 'ETIMEDOUT':
    case 'ENOTCONN':
    case 'EHOSTDOWN':
    case 'ENODEV':
    case 'ENXIO':
      return {
        reason: 'StoreUnreachable',
        retryable: true,
        why: `the file system failed (${code})`,
        remedy: 'Look at the node and the storage behind the claim.',
      };
    default:
      return {
        reason: 'StoreError',
        retryable: false,
        why: `the file system answered ${code}`,
        remedy: 'Look at the storage behind the claim.',
      };
  }
}

function mend(reason: string, why: string, remedy: string) {
  return { reason, retryable: false, why, remedy };
}
