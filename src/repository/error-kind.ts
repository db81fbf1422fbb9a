import { Failure } from '../domain/failure.ts';

/** What an error is to a person. `why` and `remedy` are parts of its message. */
export interface ErrorKind {
  readonly reason: string;
  readonly retryable: boolean;
  readonly why: string;
  readonly remedy: string;
}

/** What a person must mend. */
export function mend(reason: string, why: string, remedy: string): ErrorKind {
  return { reason, retryable: false, why, remedy };
}

/** What may pass by itself. */
export function pass(reason: string, why: string, remedy: string): ErrorKind {
  return { reason, retryable: true, why, remedy };
}

/** Nothing of the library's own error goes with it but its code: a request carries its signature. */
export function failureOf(
  { reason, retryable, why, remedy }: ErrorKind,
  what: string,
  { code, status }: { readonly code: string; readonly status?: number | undefined },
): Failure {
  return new Failure(reason, `Cannot ${what}: ${why}. ${remedy}`, {
    retryable,
    cause: new Error(`${code}${status === undefined ? '' : ` (HTTP ${status})`}`),
  });
}

/** What the network did, by the code of Node's error; undefined for one that is not of the network. */
export function kindOfNetwork(
  code: string,
  said: string,
  {
    endpoint,
    field,
    trust,
  }: {
    readonly endpoint: string;
    /** Of the manifest, which holds the address. */
    readonly field: string;
    /** What to do so that another authority is trusted: the beginning of a sentence. */
    readonly trust: string;
  },
): ErrorKind | undefined {
  if (/CERT|SELF_SIGNED|ERR_TLS|UNABLE_TO_VERIFY|HOSTNAME_MISMATCH/.test(code)) {
    return mend(
      'UntrustedCertificate',
      `the certificate of the store is not to be trusted (${said})`,
      `${trust} to the authority that signed it, or correct the name in ${field}.`,
    );
  }
  if (/^(EPROTO|ERR_SSL|HPE_)/.test(code)) {
    return mend(
      'WrongProtocol',
      `what answers there does not speak ${endpoint.startsWith('https') ? 'TLS' : 'HTTP'} (${said})`,
      `Correct the scheme or the port of ${field}.`,
    );
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return pass('StoreUnreachable', `its name cannot be resolved (${code})`, `Correct ${field}, or look at the DNS.`);
  if (code === 'TimeoutError' || code === 'RequestTimeout') {
    return pass(
      'StoreUnreachable',
      'it does not answer in time',
      'Look whether the store is up and the network lets the Job through.',
    );
  }
  if (/^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|EADDR|ESOCKET|ERR_STREAM|ERR_SOCKET|UND_ERR)/.test(code)) {
    return pass(
      'StoreUnreachable',
      `the connection failed (${said})`,
      'Look whether the store is up and the network lets the Job through.',
    );
  }
  return undefined;
}

export function networkCode(error: Error): string | undefined {
  if (error.name === 'TimeoutError') return 'TimeoutError';
  if ('code' in error && typeof error.code === 'string' && /^[A-Z]/.test(error.code) && error.code.includes('E'))
    return error.code;
  return error.cause instanceof Error ? networkCode(error.cause) : undefined;
}

/** A Failure goes through as it is, also where a library has wrapped it. */
export function findFailure(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  return error instanceof Error && error.cause !== undefined ? findFailure(error.cause) : undefined;
}

/** In one line, without its full stop. */
export function bounded(message: string): string {
  const line = message.replace(/\s+/g, ' ').trim().replace(/\.$/, '');
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
