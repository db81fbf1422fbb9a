import { readFile } from 'node:fs/promises';
import { Failure, terminal, transient } from '../domain/failure.ts';

interface Token {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresOnTimestamp: number;
}

const scope = 'https://storage.azure.com/.default';
const answerWithin = 30_000;

/**
 * Trades the pod's own token, which Kubernetes renews in its file, for one of Microsoft Entra ID: one documented request,
 * so that it needs no package (OAuth 2.0 client credentials with a federated assertion). Asked by the storage client,
 * which keeps a token until shortly before it expires.
 */
export function workloadToken(environment: NodeJS.ProcessEnv = process.env): () => Promise<Token> {
  return async () => {
    const [tenant, client, file] = ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID', 'AZURE_FEDERATED_TOKEN_FILE'].map(
      (name) => environment[name],
    );
    if (tenant === undefined || client === undefined || file === undefined) {
      throw terminal(
        'CredentialsMissing',
        'The pod has no identity of Azure: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE are not all set. Set spec.azureBlob.credentialsSecretRef, or give the Job’s service account a workload identity and the pod the label azure.workload.identity/use: "true".',
      );
    }
    const authority = environment.AZURE_AUTHORITY_HOST ?? 'https://login.microsoftonline.com/';
    const url = new URL(`${encodeURIComponent(tenant)}/oauth2/v2.0/token`, authority);
    const answer = await ask(url, client, await readFile(file, 'utf8'));
    return { token: answer.access_token, expiresOnTimestamp: Date.now() + answer.expires_in * 1000 };
  };
}

async function ask(url: URL, client: string, assertion: string) {
  const body = new URLSearchParams({
    client_id: client,
    scope,
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion.trim(),
  });
  try {
    const response = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(answerWithin) });
    const answer: unknown = await response.json();
    if (response.ok && isToken(answer)) return answer;
    if (response.status >= 500)
      throw transient('StoreUnreachable', `${url.host} failed (HTTP ${response.status}). It is tried again.`);
    throw terminal(
      'WrongCredentials',
      `${url.host} gives the Job’s service account no token for Azure (${reasonOf(answer, response.status)}). Correct the federated credential of the identity: its subject is system:serviceaccount:NAMESPACE:NAME.`,
    );
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw transient(
      'StoreUnreachable',
      `Cannot ask ${url.host} for a token of Azure: ${String(error)}. Look whether the network lets the Job through.`,
      error,
    );
  }
}

function isToken(answer: unknown): answer is { readonly access_token: string; readonly expires_in: number } {
  if (typeof answer !== 'object' || answer === null) return false;
  return typeof Reflect.get(answer, 'access_token') === 'string' && Number(Reflect.get(answer, 'expires_in')) > 0;
}

/** Entra's first line, without trace ids. */
function reasonOf(answer: unknown, status: number): string {
  const described: unknown =
    typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'error_description') : undefined;
  return typeof described === 'string'
    ? described
        .split(/[\r\n]/, 1)
        .join('')
        .slice(0, 200)
    : `HTTP ${status}`;
}
