import { createHash, randomUUID } from 'node:crypto';
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { Failure, terminal } from '../domain/failure.ts';
import type { S3Connection } from './s3-connection.ts';

/** Written with every object, so that an answer lost on the way is told from another writer's object. */
export const writeMark = 'tidemark-write';

export interface StoredObjectFacts {
  readonly size: number;
  /** The mark of the write that made it; undefined where the store keeps no metadata. */
  readonly mark: string | undefined;
  readonly lastModified?: Date;
  /** By object lock: until when nobody may delete it, undefined for a legal hold. */
  readonly lock?: { readonly until: Date | undefined };
}

/** undefined where it does not exist. */
export async function headObject(
  s3: S3Connection,
  key: string,
  signal: AbortSignal,
): Promise<StoredObjectFacts | undefined> {
  try {
    const head = await s3.run({ operation: 'look up', key, signal }, (client, abortSignal) =>
      client.send(new HeadObjectCommand({ Bucket: s3.settings.bucket, Key: s3.fullKey(key) }), { abortSignal }),
    );
    return {
      size: head.ContentLength ?? 0,
      mark: head.Metadata?.[writeMark],
      ...(head.LastModified === undefined ? {} : { lastModified: head.LastModified }),
      ...lockOf(head),
    };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.reason === 'NoSuchObject') return undefined;
    if (!error.retryable) await explainRefusal(s3, key, signal);
    throw error;
  }
}

function lockOf(head: HeadObjectCommandOutput): Pick<StoredObjectFacts, 'lock'> {
  if (head.ObjectLockLegalHoldStatus === 'ON') return { lock: { until: undefined } };
  const until = head.ObjectLockRetainUntilDate;
  return until !== undefined && until > new Date() ? { lock: { until } } : {};
}

/** The answer to a HEAD has no body, so nobody knows why it was refused. A list asks the same and is told. */
async function explainRefusal(s3: S3Connection, key: string, signal: AbortSignal): Promise<void> {
  const Prefix = s3.fullKey(key);
  await s3.run({ operation: 'look up', key, signal }, (client, abortSignal) =>
    client.send(new ListObjectsV2Command({ Bucket: s3.settings.bucket, Prefix, MaxKeys: 1 }), { abortSignal }),
  );
}

export interface PutRequest {
  readonly key: string;
  readonly body: Buffer;
  readonly ifAbsent: boolean;
  readonly contentType?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * One PUT. `ifAbsent` is the store's own check (If-None-Match) where it has one, else a look before and after. The look
 * before is made always: a store may refuse before it has read the body, and that looks like a broken connection.
 */
export async function putObject(s3: S3Connection, request: PutRequest): Promise<void> {
  const { key, body, ifAbsent, signal } = request;
  const mark = randomUUID();
  if (!ifAbsent) {
    await sendPut(s3, request, mark, false);
    return;
  }
  if ((await headObject(s3, key, signal)) !== undefined) throw objectExists(s3, key);
  try {
    await sendPut(s3, request, mark, true);
    return;
  } catch (error) {
    if (!(error instanceof Failure) || signal.aborted) throw error;
    if (error.reason === 'NotSupported') await sendPut(s3, request, mark, false);
    else if (error.reason !== 'ObjectExists' && error.reason !== 'StoreUnreachable') throw error;
    await requireOurs(s3, { key, size: body.length, mark, signal }, error);
  }
}

/** After a write whose outcome is not known: whether the object that is there now is the one we wrote. */
export async function requireOurs(
  s3: S3Connection,
  {
    key,
    size,
    mark,
    signal,
  }: { readonly key: string; readonly size: number; readonly mark: string; readonly signal: AbortSignal },
  otherwise: Failure,
): Promise<void> {
  const stored = await headObject(s3, key, signal);
  if (stored === undefined) throw otherwise;
  if (!isOurs(stored, mark, size)) throw objectExists(s3, key);
}

export function isOurs(stored: StoredObjectFacts, mark: string, size: number): boolean {
  return stored.size === size && stored.mark === mark;
}

export function objectExists(s3: S3Connection, key: string): Failure {
  return terminal(
    'ObjectExists',
    `s3://${s3.settings.bucket}/${s3.fullKey(key)} is already there, and nothing is ever overwritten. Look who else writes there.`,
  );
}

/** Whether the store itself refuses a conditional PUT of a key that exists: found out by trying. */
export async function refusesSecondPut(s3: S3Connection, key: string, signal: AbortSignal): Promise<boolean> {
  const before = await headObject(s3, key, signal);
  try {
    await sendPut(s3, { key, body: Buffer.from('second'), ifAbsent: true, signal }, randomUUID(), true);
    return false;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.reason === 'ObjectExists') return true;
    if (error.reason === 'NotSupported') return false;
    if (error.reason !== 'StoreUnreachable' || signal.aborted) throw error;
    const after = await headObject(s3, key, signal);
    return after?.mark === before?.mark && after?.size === before?.size;
  }
}

async function sendPut(
  s3: S3Connection,
  { key, body, contentType, storageClass, signal }: PutRequest,
  mark: string,
  conditional: boolean,
) {
  const { settings } = s3;
  await s3.run({ operation: 'store', key, signal }, (client, abortSignal) =>
    client.send(
      new PutObjectCommand({
        Bucket: settings.bucket,
        Key: s3.fullKey(key),
        Body: body,
        ContentLength: body.length,
        Metadata: { [writeMark]: mark },
        ...(conditional ? { IfNoneMatch: '*' } : {}),
        ...(contentType === undefined ? {} : { ContentType: contentType }),
        ...contentDigest(s3, body),
        ...storedAs(s3, storageClass),
      }),
      { abortSignal },
    ),
  );
}

/** By which the store checks the bytes it got. With WhenSupported the SDK sends a CRC32 by itself. */
export function contentDigest(s3: S3Connection, bytes: Buffer): { readonly ContentMD5?: string } {
  if (s3.settings.checksumMode === 'WhenSupported') return {};
  return { ContentMD5: createHash('md5').update(bytes).digest('base64') };
}

export function storedAs({ settings }: S3Connection, storageClass: string | undefined): StoredAs {
  const encryption = settings.serverSideEncryption;
  return {
    ...(storageClass === undefined ? {} : { StorageClass: storageClass as StorageClassName }),
    ...(encryption === undefined ? {} : { ServerSideEncryption: encryption.algorithm }),
    ...(encryption?.kmsKeyID === undefined ? {} : { SSEKMSKeyId: encryption.kmsKeyID }),
  };
}

type PutInput = ConstructorParameters<typeof PutObjectCommand>[0];
type StorageClassName = NonNullable<PutInput['StorageClass']>;
interface StoredAs {
  readonly StorageClass?: StorageClassName;
  readonly ServerSideEncryption?: 'AES256' | 'aws:kms';
  readonly SSEKMSKeyId?: string;
}

export async function deleteObject(s3: S3Connection, key: string, signal: AbortSignal): Promise<void> {
  try {
    await s3.run({ operation: 'delete', key, signal }, (client, abortSignal) =>
      client.send(new DeleteObjectCommand({ Bucket: s3.settings.bucket, Key: s3.fullKey(key) }), { abortSignal }),
    );
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'NoSuchObject') throw error;
  }
}
