import { Failure } from '../../domain/failure.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import { withoutEncryptedSuffix } from '../../stream/encrypt.ts';
import { unforeseen } from '../report-of.ts';

/** What one repository has of a backup that is being made, or why it will not have it. */
export interface CopyState {
  stored(object: StoredObject): void;
  /** What this repository has where another has this object: encrypted for others, it has other bytes and another name. */
  objectOf(object: Pick<StoredObject, 'path'>): StoredObject | undefined;
  /** Nothing more is written here; the others go on. The first error stays. */
  drop(error: unknown): void;
  failure(): Failure | undefined;
  committed(sha256: string): void;
  /** Of the manifest, once it is there. */
  checksum(): string | undefined;
}

export function createCopyState(): CopyState {
  const objects = new Map<string, StoredObject>();
  let failure: Failure | undefined;
  let checksum: string | undefined;
  return {
    stored: (object) => void objects.set(withoutEncryptedSuffix(object.path), object),
    objectOf: (object) => objects.get(withoutEncryptedSuffix(object.path)),
    drop(error) {
      failure ??= error instanceof Failure ? error : unforeseen(error);
    },
    failure: () => failure,
    committed(sha256) {
      checksum = sha256;
    },
    checksum: () => checksum,
  };
}
