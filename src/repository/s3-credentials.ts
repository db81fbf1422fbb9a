import { terminal } from '../domain/failure.ts';
import { readSecret } from './secret-files.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration: Date;
}

/**
 * The SDK takes what ends within five minutes for ended, and so asks before every request: small files are nothing beside
 * one, and after a token has expired the next try has the renewed one.
 */
const validFor = 5 * 60 * 1000;

/** Reads the files that Kubernetes makes of a Secret, anew each time. */
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
