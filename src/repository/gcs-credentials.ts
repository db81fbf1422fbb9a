import { createSign } from 'node:crypto';
import { z } from 'zod';
import { Failure, terminal, transient } from '../domain/failure.ts';
import { readSecret } from './secret-files.ts';

/** Gives a token that holds for a while yet. */
export type TokenSource = () => Promise<string>;

const serviceAccountFile = z.object({
  type: z.literal('service_account'),
  client_email: z.string().min(3),
  private_key: z.string().includes('PRIVATE KEY'),
  private_key_id: z.string().optional(),
  token_uri: z.url().default('https://oauth2.googleapis.com/token'),
});

export type ServiceAccount = z.output<typeof serviceAccountFile>;

const scope = 'https://www.googleapis.com/auth/devstorage.read_write';
const answerWithin = 30_000;
/** Milliseconds before its end at which a token is no longer used. */
const margin = 5 * 60_000;

/** service-account.json of a mounted Secret. */
export async function readServiceAccount(folder: string, secretName: string): Promise<ServiceAccount> {
  const text = await readSecret(folder, 'service-account.json');
  if (text === undefined) {
    throw terminal(
      'CredentialsMissing',
      `The Secret ${secretName} with the credentials of the store has no key service-account.json, or there is no such Secret in this namespace. Create it with the JSON key of a service account.`,
    );
  }
  const parsed = serviceAccountFile.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw terminal(
    'CredentialsMissing',
    `service-account.json in the Secret ${secretName} is not the JSON key of a service account (type, client_email, private_key). Create a key of type JSON for the account and store the file whole.`,
  );
}

/** A signed request for a token (RFC 7523), an hour each. */
export function serviceAccountTokens(account: ServiceAccount): TokenSource {
  return heldTokens(() => {
    const now = Math.floor(Date.now() / 1000);
    const { client_email: iss, private_key: key, private_key_id: kid, token_uri: aud } = account;
    const head = { alg: 'RS256', typ: 'JWT', ...(kid === undefined ? {} : { kid }) };
    const signed = [head, { iss, scope, aud, iat: now, exp: now + 3600 }].map(encode).join('.');
    const assertion = `${signed}.${sign(signed, key, iss)}`;
    const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion });
    return askToken(new URL(aud), { method: 'POST', body }, `the service account ${iss}`);
  });
}

/** The identity of the pod, from the metadata server (GKE Workload Identity, or the node's own account). */
export function identityTokens(environment: NodeJS.ProcessEnv = process.env): TokenSource {
  const host = environment.GCE_METADATA_HOST ?? 'metadata.google.internal';
  const url = new URL(`http://${host}/computeMetadata/v1/instance/service-accounts/default/token`);
  return heldTokens(() => askToken(url, { headers: { 'metadata-flavor': 'Google' } }, 'the pod’s identity'));
}

interface Token {
  readonly token: string;
  readonly until: number;
}

function heldTokens(ask: () => Promise<Token>): TokenSource {
  let held: Token | undefined;
  let asking: Promise<Token> | undefined;
  return async () => {
    if (held !== undefined && Date.now() < held.until) return held.token;
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    held = await asking;
    return held.token;
  };
}

async function askToken(url: URL, request: RequestInit, whose: string): Promise<Token> {
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(answerWithin) });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok && isToken(answer))
      return { token: answer.access_token, until: Date.now() + answer.expires_in * 1000 - margin };
    if (response.status >= 500)
      throw transient('StoreUnreachable', `${url.host} failed (HTTP ${response.status}). It is tried again.`);
    throw terminal(
      'WrongCredentials',
      `${url.host} gives no token for ${whose} (${reasonOf(answer, response.status)}). Look whether the account and its key still exist, and whether the clock of the node is right.`,
    );
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw transient(
      'StoreUnreachable',
      `Cannot ask ${url.host} for a token for ${whose}. Set spec.googleCloudStorage.credentialsSecretRef where the pod has no identity of Google Cloud; look whether the network lets the Job through.`,
      error,
    );
  }
}

function sign(text: string, key: string, account: string): string {
  try {
    return createSign('RSA-SHA256').update(text).sign(key, 'base64url');
  } catch {
    // Not its cause: that may hold the key.
    throw terminal(
      'CredentialsMissing',
      `The private key of ${account} cannot be read. Store the JSON key of the service account whole.`,
    );
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function isToken(answer: unknown): answer is { readonly access_token: string; readonly expires_in: number } {
  if (typeof answer !== 'object' || answer === null) return false;
  return typeof Reflect.get(answer, 'access_token') === 'string' && Number(Reflect.get(answer, 'expires_in')) > 0;
}

function reasonOf(answer: unknown, status: number): string {
  if (typeof answer !== 'object' || answer === null) return `HTTP ${status}`;
  const said: unknown = Reflect.get(answer, 'error_description') ?? Reflect.get(answer, 'error');
  return typeof said === 'string' ? said.slice(0, 200) : `HTTP ${status}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
