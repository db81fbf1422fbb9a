import { createHash, randomUUID } from 'node:crypto';
import { Failure, terminal, transient } from '../domain/failure.ts';
import type { AzureConnection } from './azure-connection.ts';
import type { BufferPool } from './part-buffers.ts';
import { maxObjectSize, partSize } from './part-size.ts';
import type { StoredSize, Uploaded, UploadOptions } from './store.ts';
import { uploadInParts } from './upload-parts.ts';

/** Written with every blob, so that an answer lost on the way is told from another writer's blob. */
const writeMark = 'tidemarkwrite';

interface BlobFacts extends StoredSize {
  readonly mark: string | undefined;
}

/** undefined where it does not exist. */
export async function headBlob(az: AzureConnection, key: string, signal: AbortSignal): Promise<BlobFacts | undefined> {
  try {
    const found = await az.run({ operation: 'look up', key, signal }, (container, attempt) =>
      container.getBlockBlobClient(az.fullKey(key)).getProperties({ abortSignal: attempt.signal }),
    );
    const until = found.immutabilityPolicyExpiresOn;
    const held = found.legalHold === true;
    const locked = held || (until !== undefined && until > new Date());
    return {
      size: found.contentLength ?? 0,
      mark: found.metadata?.[writeMark],
      ...(found.lastModified === undefined ? {} : { lastModified: found.lastModified }),
      ...(locked ? { lock: { until: held ? undefined : until } } : {}),
    };
  } catch (error) {
    if (error instanceof Failure && error.reason === 'NoSuchObject') return undefined;
    throw error;
  }
}

export interface PutBlob {
  readonly key: string;
  readonly body: Buffer;
  readonly ifAbsent: boolean;
  readonly contentType?: string | undefined;
  readonly signal: AbortSignal;
}

/** One request, whose bytes the service checks by their MD5. `ifAbsent` is the service's own check (If-None-Match: *). */
export async function putBlob(az: AzureConnection, request: PutBlob): Promise<void> {
  const { key, body, ifAbsent, signal } = request;
  const mark = randomUUID();
  try {
    await sendBlob(az, request, mark);
  } catch (error) {
    if (!ifAbsent || !(error instanceof Failure) || signal.aborted) throw error;
    if (error.reason !== 'ObjectExists' && error.reason !== 'StoreUnreachable') throw error;
    await requireOurs(az, { key, size: body.length, mark, signal }, error);
  }
}

async function sendBlob(az: AzureConnection, request: PutBlob, mark: string): Promise<void> {
  const { key, body, ifAbsent, contentType, signal } = request;
  const md5 = createHash('md5').update(body).digest();
  await az.run({ operation: 'store', key, signal }, async (container, attempt) => {
    const answer = await container.getBlockBlobClient(az.fullKey(key)).upload(body, body.length, {
      abortSignal: attempt.signal,
      onProgress: attempt.alive,
      metadata: { [writeMark]: mark },
      blobHTTPHeaders: { blobContentMD5: md5, ...(contentType === undefined ? {} : { blobContentType: contentType }) },
      ...(ifAbsent ? { conditions: { ifNoneMatch: '*' } } : {}),
    });
    if (answer.contentMD5 !== undefined && !Buffer.from(answer.contentMD5).equals(md5))
      throw transient(
        'ChecksumMismatch',
        `${az.nameOf(key)} was stored with other bytes than were sent. Check the network.`,
      );
  });
}

interface Written {
  readonly key: string;
  readonly size: number;
  readonly mark: string;
  readonly signal: AbortSignal;
}

/** After a write whose outcome is not known: whether the blob that is there now is the one we wrote. */
async function requireOurs(az: AzureConnection, written: Written, otherwise: Failure): Promise<void> {
  const stored = await headBlob(az, written.key, written.signal).catch(() => undefined);
  if (stored === undefined) throw otherwise;
  if (stored.size !== written.size || stored.mark !== written.mark) throw blobExists(az, written.key);
}

function blobExists(az: AzureConnection, key: string): Failure {
  return terminal(
    'ObjectExists',
    `${az.nameOf(key)} is already there, and nothing is ever overwritten. Look who else writes there.`,
  );
}

/**
 * A stream of unknown length as blocks, several under way. Blocks are nothing until they are committed, and nobody can
 * remove them alone: the service forgets them after a week, or when somebody commits the same name.
 */
export function uploadBlob(
  az: AzureConnection,
  pool: BufferPool,
  key: string,
  body: AsyncIterable<Buffer>,
  options: UploadOptions,
): Promise<Uploaded> {
  const mark = randomUUID();
  return uploadInParts(
    {
      partSize: (index) => partSize(index) ?? tooLarge(az, key),
      async requireAbsent(signal) {
        if ((await headBlob(az, key, signal)) !== undefined) throw blobExists(az, key);
      },
      storeWhole: (whole, signal) => putBlob(az, { key, body: whole, ifAbsent: true, signal }),
      begin: async () => mark,
      async sendPart(_, { index, bytes }, signal) {
        const id = blockId(mark, index);
        await stageBlock(az, key, { id, bytes, number: index + 1 }, signal);
        return id;
      },
      complete: (_, blocks, size, signal) => commit(az, { key, size, mark, signal }, blocks),
      removeTraces: (_, size) => removeOurs(az, { key, size, mark, signal: AbortSignal.timeout(az.timings.cleanUp) }),
    },
    pool,
    az.nameOf(key),
    body,
    options,
  );
}

/** Of one length for all blocks of a blob, as Azure wants it, and no other writer's. */
function blockId(mark: string, index: number): string {
  return Buffer.from(`${mark.slice(0, 18)}-${String(index).padStart(6, '0')}`).toString('base64');
}

async function stageBlock(
  az: AzureConnection,
  key: string,
  { id, bytes, number }: { readonly id: string; readonly bytes: Buffer; readonly number: number },
  signal: AbortSignal,
): Promise<void> {
  const md5 = createHash('md5').update(bytes).digest();
  await az.run({ operation: `store block ${number} of`, key, signal }, (container, attempt) =>
    container.getBlockBlobClient(az.fullKey(key)).stageBlock(id, bytes, bytes.length, {
      abortSignal: attempt.signal,
      onProgress: attempt.alive,
      transactionalContentMD5: md5,
    }),
  );
}

async function commit(az: AzureConnection, written: Written, blocks: readonly string[]): Promise<void> {
  const { key, size, mark, signal } = written;
  try {
    await az.run({ operation: 'finish the upload of', key, signal, completing: true }, (container, attempt) =>
      container.getBlockBlobClient(az.fullKey(key)).commitBlockList([...blocks], {
        abortSignal: attempt.signal,
        metadata: { [writeMark]: mark },
        conditions: { ifNoneMatch: '*' },
      }),
    );
  } catch (error) {
    if (!(error instanceof Failure) || signal.aborted) throw error;
    // The answer to an earlier try may have been lost; or another writer's commit has taken the blocks away.
    await requireOurs(az, written, error);
  }
  const stored = await headBlob(az, key, signal);
  if (stored?.size === size) return;
  throw transient(
    'ChecksumMismatch',
    `${az.nameOf(key)} ${stored === undefined ? 'is not there' : `has ${stored.size} bytes`} after ${size} bytes were stored and acknowledged. Check the store: it loses data.`,
  );
}

/** The failure that led here is the one to be told. */
async function removeOurs(az: AzureConnection, { key, size, mark, signal }: Written): Promise<void> {
  const stored = await headBlob(az, key, signal).catch(() => undefined);
  if (stored?.mark === mark && stored.size === size) await deleteBlob(az, key, signal).catch(() => undefined);
}

/** A missing one is fine. */
export async function deleteBlob(az: AzureConnection, key: string, signal: AbortSignal): Promise<void> {
  try {
    await az.run({ operation: 'delete', key, signal }, (container, attempt) =>
      container.getBlockBlobClient(az.fullKey(key)).delete({ abortSignal: attempt.signal, deleteSnapshots: 'include' }),
    );
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'NoSuchObject') throw error;
  }
}

function tooLarge(az: AzureConnection, key: string): never {
  throw terminal(
    'ObjectTooLarge',
    `${az.nameOf(key)} would be larger than ${maxObjectSize()} bytes, which cannot be stored in bounded memory. Use the format Directory, which is stored in many objects.`,
  );
}
