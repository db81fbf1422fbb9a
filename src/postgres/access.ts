import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tls } from '../api/postgres-server.ts';
import { terminal } from '../domain/failure.ts';
import { mounts } from '../domain/mounts.ts';
import type { ServerTask } from '../domain/task.ts';

/** All that is needed to speak to one server. */
export interface ServerAccess {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  /** undefined where a client certificate is all there is. */
  readonly password: string | undefined;
  readonly tls: TlsAccess;
  /** The Secret of username and password as `namespace/name`, for messages. */
  readonly secret: string;
}

/** Paths of files, under libpq's names (PostgreSQL, "SSL Support"). */
export interface TlsAccess {
  readonly mode: Tls['mode'];
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface AccessRoots {
  readonly credentials: string;
  readonly serverCa: string;
  readonly clientCertificate: string;
  /** The certificate authorities that the image trusts. */
  readonly systemCa: string;
}

const defaultRoots: AccessRoots = {
  credentials: mounts.credentials,
  serverCa: mounts.serverCa,
  clientCertificate: mounts.clientCertificate,
  systemCa: '/etc/ssl/certs/ca-certificates.crt',
};

/**
 * Reads what was mounted for a server. `host` is the first candidate; chooseServer() decides which one it is to be.
 * What is missing is a terminal MissingSecret that names the Secret and the command that makes it.
 */
export async function readAccess(
  server: ServerTask,
  namespace: string,
  roots: AccessRoots = defaultRoots,
): Promise<ServerAccess> {
  const [host = ''] = server.hosts;
  const secret = `${namespace}/${server.credentialsSecretName}`;
  const hasCertificate = server.tls?.clientCertificateSecretRef !== undefined;
  const read = async (key: 'username' | 'password') => {
    const value = await readValue(join(roots.credentials, key));
    if (value === undefined && !(key === 'password' && hasCertificate))
      throw missingCredentials(namespace, server, key);
    return value;
  };
  const username = (await read('username')) ?? '';
  const password = await read('password');
  if (username === '') throw missingCredentials(namespace, server, 'username');
  return { host, port: server.port, username, password, tls: await tlsAccess(server, namespace, roots), secret };
}

async function tlsAccess({ tls }: ServerTask, namespace: string, roots: AccessRoots): Promise<TlsAccess> {
  const mode = tls?.mode ?? 'prefer';
  const caFile = await findCa(tls, mode, namespace, roots);
  if (tls?.clientCertificateSecretRef === undefined) return { mode, ...caFile };
  const { name } = tls.clientCertificateSecretRef;
  const certFile = join(roots.clientCertificate, 'tls.crt');
  const keyFile = join(roots.clientCertificate, 'tls.key');
  for (const [file, key] of [
    [certFile, 'tls.crt'],
    [keyFile, 'tls.key'],
  ] as const) {
    if ((await readValue(file)) !== undefined) continue;
    throw terminal(
      'MissingSecret',
      `Secret ${namespace}/${name} with the client certificate has no key ${key}, or does not exist. Make it with: kubectl -n ${namespace} create secret tls ${name} --cert=tls.crt --key=tls.key`,
    );
  }
  return { mode, ...caFile, certFile, keyFile };
}

async function findCa(
  tls: ServerTask['tls'],
  mode: Tls['mode'],
  namespace: string,
  roots: AccessRoots,
): Promise<{ readonly caFile?: string }> {
  if (tls?.caSecretRef !== undefined) {
    const { name, key } = tls.caSecretRef;
    const caFile = join(roots.serverCa, key);
    if ((await readValue(caFile)) !== undefined) return { caFile };
    throw terminal(
      'MissingSecret',
      `Secret ${namespace}/${name} with the server's certificate authority has no key ${key}, or does not exist. Make it with: kubectl -n ${namespace} create secret generic ${name} --from-file=${key}=ca.crt`,
    );
  }
  // libpq would look into a home directory that an agent does not have.
  return mode === 'verify-ca' || mode === 'verify-full' ? { caFile: roots.systemCa } : {};
}

/** A file's text without one line break at its end, which `echo secret | base64` and editors leave there. */
async function readValue(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw terminal('UnreadableSecret', `Cannot read the mounted file ${path}: ${String(error)}.`, error);
  }
}

function missingCredentials(namespace: string, { credentialsSecretName: name }: ServerTask, key: string) {
  return terminal(
    'MissingSecret',
    `Secret ${namespace}/${name} has no key ${key}, or does not exist. Make it with: kubectl -n ${namespace} create secret generic ${name} --type=kubernetes.io/basic-auth --from-literal=username=<role> --from-literal=password=<password>`,
  );
}
