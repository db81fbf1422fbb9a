import { terminal } from '../domain/failure.ts';
import { readSecret } from './secret-files.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration: Date;
}

/** The SDK asks again five minutes before the expiration: a renewed Secret is in use after a minute. */
const validFor = 6 * 60 * 1000;

/** Reads the files that Kubernetes makes of a Secret, anew from time to time. */
export function fileCredentials(folder: string, secretName: string): () => Promise<S3Credentials> {
  return async () => {
    const accessKeyId = await readRequired(folder, 'AWS_ACCESS_KEY_ID', secretName);
    const secretAccessKey = await readRequired(folder, 'AWS_SECRET_ACCESS_KEY', secretName);
    const sessionToken = await readSecret(folder, 'AWS_SESSION_TOKEN');
    return {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      expiration: new Date(Date.now() + validFor),
    };
  };
}

async function readRequired(folder: string, key: string, secretName: string): Promise<string> {
  const value = await readSecret(folder, key);
  if (value !== undefined) return value;
  throw terminal(
    'CredentialsMissing',
    `The Secret ${secretName} with the credentials of the store has no key ${key}, or there is no such Secret in this namespace. Create it with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`,
  );
}
