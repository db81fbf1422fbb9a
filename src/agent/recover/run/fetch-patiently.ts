import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../../domain/failure.ts';
import type { StoredObject } from '../../../domain/manifest.ts';
import { orFromAnother } from '../../../repository/mirrored-store.ts';
import { corrupted } from './corrupted.ts';
import type { BaseBackup, LayOptions } from './lay-base.ts';

const attempts = 3;

/** What was cut short on its way is whole when it is fetched again; what came of it before is taken back. */
export async function fetchPatiently<Fetched>(
  base: BaseBackup,
  { path }: Pick<StoredObject, 'path'>,
  { signal, onBytes, pause = 2000 }: LayOptions,
  fetch: (options: Pick<LayOptions, 'signal' | 'onBytes'>) => Promise<Fetched>,
): Promise<Fetched> {
  for (let attempt = 1; ; attempt += 1) {
    let come = 0;
    try {
      const counting = (bytes: number) => {
        come += bytes;
        onBytes(bytes);
      };
      return await orFromAnother(base.store, `${base.path}/${path}`, () => {
        if (come > 0) onBytes(-come);
        come = 0;
        return fetch({ signal, onBytes: counting });
      });
    } catch (error) {
      signal.throwIfAborted();
      onBytes(-come);
      if (!(error instanceof Failure) || !error.retryable) throw error;
      if (attempt === attempts) throw error.reason === 'ChecksumMismatch' ? corrupted(error.message, error) : error;
      await delay(pause * attempt, undefined, { signal });
    }
  }
}
