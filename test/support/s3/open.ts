import { s3Store } from '../../../src/repository/s3.ts';
import type { S3Settings, S3Timings } from '../../../src/repository/s3-connection.ts';
import type { Store } from '../../../src/repository/store.ts';

interface Place {
  readonly endpoint: string;
  readonly accessKey?: string;
  readonly secretKey?: string;
  readonly bucket: string;
  readonly prefix?: string;
  readonly checksumMode?: S3Settings['checksumMode'];
  readonly ca?: string;
}

/** Short enough for a test, in the proportions of the real ones. */
export const shortTimings: S3Timings = { connect: 1000, idle: 1000, completing: 2000, outage: 1500, cleanUp: 5000 };

/** A store as open.ts makes it, without mounted files. */
export function openS3(
  {
    endpoint,
    accessKey = 'key',
    secretKey = 'secret',
    bucket,
    prefix = 'pre/fix',
    checksumMode = 'WhenRequired',
    ca,
  }: Place,
  timings?: S3Timings,
): Store {
  const settings: S3Settings = {
    bucket,
    prefix,
    region: 'us-east-1',
    endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    credentialsFrom: 'the Secret store',
    ca,
    storageClass: undefined,
    serverSideEncryption: undefined,
    checksumMode,
  };
  return s3Store(settings, timings);
}
