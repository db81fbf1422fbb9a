import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { Scenario } from './scenario.ts';

/** The keys under a prefix of the scenario's bucket, as any S3 client sees them. */
export async function listKeys({ s3, bucket }: Scenario, prefix: string): Promise<readonly string[]> {
  const { client, close } = await s3.connect();
  try {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    return Contents.map(({ Key = '' }) => Key);
  } finally {
    await close();
  }
}

/** Copies what lies under a prefix into a folder, under the same relative names. */
export async function downloadPrefix({ s3, bucket }: Scenario, prefix: string, folder: string): Promise<void> {
  const { client, close } = await s3.connect();
  try {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    for (const { Key = '' } of Contents) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
      const path = join(folder, Key.slice(prefix.length));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, (await Body?.transformToByteArray()) ?? '');
    }
  } finally {
    await close();
  }
}
