import { AbortMultipartUploadCommand, ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { Failure, transient } from '../domain/failure.ts';
import { listed, listedFolder, nextToken } from './listed.ts';
import type { S3Connection } from './s3-connection.ts';
import type { Listed } from './store.ts';

export async function* listObjects(
  s3: S3Connection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Listed, void, void> {
  const whole = fullPrefix(s3, prefix);
  for await (const { Contents = [] } of listPages(s3, whole, undefined, signal)) {
    for (const { Key, Size = 0, LastModified = new Date(0) } of Contents) {
      // A store's console leaves empty objects named as folders.
      if (Key === undefined || Key.endsWith('/')) continue;
      yield listed({ name: Key, size: Size, lastModified: LastModified }, whole, prefix);
    }
  }
}

export async function* listFolders(
  s3: S3Connection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const whole = fullPrefix(s3, prefix);
  for await (const { CommonPrefixes = [] } of listPages(s3, whole, '/', signal)) {
    for (const { Prefix } of CommonPrefixes) {
      if (Prefix !== undefined) yield listedFolder(Prefix, whole);
    }
  }
}

async function* listPages(s3: S3Connection, prefix: string, delimiter: '/' | undefined, signal: AbortSignal) {
  let token: string | undefined;
  do {
    const page = await s3.run({ operation: 'list', key: undefined, signal }, async (client, abortSignal) => {
      const answer = await client.send(
        new ListObjectsV2Command({
          Bucket: s3.settings.bucket,
          Prefix: prefix,
          ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
        { abortSignal },
      );
      const { Name, KeyCount = 0, Contents = [], CommonPrefixes = [] } = answer;
      requireListing(s3, answer.IsTruncated ?? Name, KeyCount <= Contents.length + CommonPrefixes.length);
      return answer;
    });
    yield page;
    token = page.IsTruncated === true ? nextToken(page.NextContinuationToken, token) : undefined;
  } while (token !== undefined);
}

/** Ends the multipart uploads under a folder that began before an instant; returns how many. */
export async function endUnfinishedUploads(
  s3: S3Connection,
  prefix: string,
  before: Date,
  signal: AbortSignal,
): Promise<number> {
  let ended = 0;
  let marker: UploadMarker | undefined;
  do {
    const page = await listUploads(s3, fullPrefix(s3, prefix), marker, signal);
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined || (Initiated ?? new Date()) >= before) continue;
      await endUpload(s3, Key, UploadId, signal);
      ended += 1;
    }
    marker =
      page.IsTruncated === true
        ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
        : undefined;
  } while (marker !== undefined);
  return ended;
}

/** Of one key: those that a lost answer has left, beside the one that is known. */
export async function endOtherUploads(
  s3: S3Connection,
  key: string,
  known: string,
  signal: AbortSignal,
): Promise<void> {
  const whole = s3.fullKey(key);
  for (const { Key, UploadId } of (await listUploads(s3, whole, undefined, signal)).Uploads ?? []) {
    if (Key === whole && UploadId !== undefined && UploadId !== known) await endUpload(s3, whole, UploadId, signal);
  }
}

interface UploadMarker {
  readonly KeyMarker?: string | undefined;
  readonly UploadIdMarker?: string | undefined;
}

function listUploads(s3: S3Connection, prefix: string, marker: UploadMarker | undefined, signal: AbortSignal) {
  return s3.run({ operation: 'list the unfinished uploads of', signal }, async (client, abortSignal) => {
    const answer = await client.send(
      new ListMultipartUploadsCommand({
        Bucket: s3.settings.bucket,
        Prefix: prefix,
        ...(marker?.KeyMarker === undefined ? {} : { KeyMarker: marker.KeyMarker }),
        ...(marker?.UploadIdMarker === undefined ? {} : { UploadIdMarker: marker.UploadIdMarker }),
      }),
      { abortSignal },
    );
    requireListing(s3, answer.IsTruncated ?? answer.Bucket ?? answer.Uploads);
    return answer;
  });
}

/** An answer that is none, such as an error behind a 200, reads as a listing of nothing: backups would be taken for lost. */
function requireListing({ settings }: S3Connection, mark: unknown, whole = true): void {
  if (mark !== undefined && whole) return;
  const what = mark === undefined ? 'no listing at all' : 'fewer keys than it says it has';
  throw transient(
    'StoreError',
    `Cannot list s3://${settings.bucket}: the store answered with ${what}. It is tried again; if it stays so, look into the log of the store.`,
  );
}

async function endUpload(s3: S3Connection, key: string, uploadId: string, signal: AbortSignal): Promise<void> {
  try {
    await s3.run({ operation: `end the unfinished upload ${key} of`, signal }, (client, abortSignal) =>
      client.send(new AbortMultipartUploadCommand({ Bucket: s3.settings.bucket, Key: key, UploadId: uploadId }), {
        abortSignal,
      }),
    );
  } catch (error) {
    if (!(error instanceof Failure) || (error.reason !== 'UploadLost' && error.reason !== 'NoSuchObject')) throw error;
  }
}

function fullPrefix({ settings }: S3Connection, prefix: string): string {
  return settings.prefix === '' ? prefix : `${settings.prefix}/${prefix}`;
}
