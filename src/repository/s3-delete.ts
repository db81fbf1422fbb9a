import { DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { Failure } from '../domain/failure.ts';
import { deleteEach } from './delete-each.ts';
import type { S3Connection } from './s3-connection.ts';
import { deleteObject } from './s3-write.ts';

const batchSize = 1000;

/** Deletes many keys by one request where the store takes it, else one by one. Missing ones are fine. */
export async function deleteObjects(s3: S3Connection, keys: readonly string[], signal: AbortSignal): Promise<void> {
  for (let start = 0; start < keys.length; start += batchSize) {
    const batch = keys.slice(start, start + batchSize);
    const left = batch.length === 1 ? batch : await deleteBatch(s3, batch, signal);
    await deleteEach(left, (key) => deleteObject(s3, key, signal));
  }
}

/** Returns the keys that are still to be deleted. */
async function deleteBatch(s3: S3Connection, keys: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const byFullKey = new Map(keys.map((key) => [s3.fullKey(key), key]));
  try {
    const { Deleted = [], Errors = [] } = await s3.run(
      { operation: `delete ${keys.length} objects of`, signal },
      (client, abortSignal) =>
        client.send(
          new DeleteObjectsCommand({
            Bucket: s3.settings.bucket,
            Delete: { Quiet: false, Objects: [...byFullKey.keys()].map((Key) => ({ Key })) },
          }),
          { abortSignal },
        ),
    );
    // Once more by itself: a refusal then comes with its own reason. And what nothing is said of, as in an error behind a 200.
    const gone = [...Deleted, ...Errors.filter(({ Code }) => Code === 'NoSuchKey')];
    for (const { Key } of gone) byFullKey.delete(Key ?? '');
    return [...byFullKey.values()];
  } catch (error) {
    if (!(error instanceof Failure) || error.retryable || signal.aborted) throw error;
    if (['NoSuchBucket', 'WrongCredentials', 'CredentialsMissing', 'UntrustedCertificate'].includes(error.reason))
      throw error;
    // Some stores refuse the request, or the checksum that the SDK sends with it.
    return keys;
  }
}
