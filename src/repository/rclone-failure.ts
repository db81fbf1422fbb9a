import type { Failure } from '../domain/failure.ts';
import { bounded, type ErrorKind, failureOf, findFailure, mend, networkCode, pass } from './error-kind.ts';

/** What was being done, for the message. Nothing here is secret. */
export interface RcloneErrorCall {
  /** As a verb phrase with its object. */
  readonly what: string;
  /** name:path of the configuration. */
  readonly remote: string;
  /** `the Secret x`. */
  readonly configFrom: string;
}

/** An answer of rclone's that is an error, in its own words. */
export class RcloneError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'RcloneError';
    this.status = status;
  }
}

/** The one place where an error of rclone becomes a Failure. Pure. rclone tells its remotes' errors in words only. */
export function rcloneFailure(error: unknown, call: RcloneErrorCall): Failure {
  const found = findFailure(error);
  if (found !== undefined) return found;
  const message = error instanceof Error ? bounded(error.message) : bounded(String(error));
  if (!(error instanceof RcloneError)) {
    const code = (error instanceof Error ? networkCode(error) : undefined) ?? 'UnknownError';
    const silent = code === 'TimeoutError' ? 'nothing moved for too long' : `rclone itself does not answer (${code})`;
    const kind = pass(
      'StoreUnreachable',
      silent,
      'Look whether the remote is up and the network lets the Job through.',
    );
    return failureOf(kind, call.what, { code });
  }
  const known = kinds.find(({ words }) => words.test(message));
  const kind = known?.kind(message, call) ?? unknown(message, error.status);
  return failureOf(kind, call.what, { code: 'rclone', status: error.status });
}

/** What nobody knows may pass: a wrong guess costs minutes, and a backup that is given up costs the night. */
function unknown(said: string, status: number): ErrorKind {
  if (status === 404) return missing();
  return pass(
    'StoreError',
    `rclone says: ${said}`,
    'Try the same with rclone by hand; look the words up in its documentation.',
  );
}

function missing(): ErrorKind {
  return mend('NoSuchObject', 'there is no such object', 'It was never stored or has been removed.');
}

interface Known {
  readonly words: RegExp;
  readonly kind: (said: string, call: RcloneErrorCall) => ErrorKind;
}

/** The first that fits counts. */
const kinds: readonly Known[] = [
  {
    // Go's own words for a file of the pod, never a server's; before what tells of objects, or all would look empty.
    words: /\bopen [^:]+: (no such file or directory|permission denied)|ssh-agent/i,
    kind: (said, { configFrom }) =>
      mend(
        'WrongConfiguration',
        `${configFrom} relies on what the agent's pod does not have (${said})`,
        'Put it into the Secret itself: for SFTP a private key as key_pem, and the host keys under the key known_hosts.',
      ),
  },
  { words: /object not found|directory not found|file does not exist|no such file/i, kind: missing },
  {
    words: /didn't find section in config file/i,
    kind: (_, { remote, configFrom }) =>
      mend(
        'WrongConfiguration',
        `${configFrom} has no section [${remote.split(':', 1)[0]}]`,
        'Correct spec.rclone.remote, or the configuration.',
      ),
  },
  {
    words:
      /didn't find backend called|couldn't decode|config.*(invalid|failed to load)|failed to create file system|unknown (type|option)/i,
    kind: (said, { configFrom }) =>
      mend(
        'WrongConfiguration',
        `${configFrom} is not to be used (${said})`,
        'Make it with rclone config, and try it with rclone lsd.',
      ),
  },
  {
    words: /key mismatch|knownhosts: key|host key/i,
    kind: (said) =>
      mend(
        'UntrustedHost',
        `the host key of the server is not the one in known_hosts (${said})`,
        'Find out why it has changed; then correct the key known_hosts of the Secret.',
      ),
  },
  {
    words:
      /unable to authenticate|authentication failed|invalid_grant|unauthorized|\b401\b|bad credentials|login incorrect|couldn't fetch token|failed to parse private key/i,
    kind: (said, { configFrom }) =>
      mend('WrongCredentials', `the remote does not accept the login of ${configFrom} (${said})`, 'Correct it there.'),
  },
  {
    words: /x509|certificate/i,
    kind: (said) =>
      mend(
        'UntrustedCertificate',
        `the certificate of the remote is not to be trusted (${said})`,
        'Correct it, or its name.',
      ),
  },
  {
    words: /permission denied|access denied|forbidden|\b403\b/i,
    kind: (said, { configFrom }) =>
      mend(
        'AccessDenied',
        `the login of ${configFrom} may not do this (${said})`,
        'Give it the right to read and write there.',
      ),
  },
  {
    words: /no space left|disk full|quota|insufficient storage|\b507\b|storage limit/i,
    kind: (said) =>
      mend(
        'StoreFull',
        `the remote has no room left (${said})`,
        'Give it more room or raise its quota, or remove backups.',
      ),
  },
  {
    words: /too many requests|rate limit|\b429\b|slow ?down/i,
    kind: (said) =>
      pass(
        'SlowDown',
        `the remote asks for fewer requests (${said})`,
        'It is tried again; if it stays so, run fewer Jobs at once.',
      ),
  },
  {
    words: /corrupted on transfer|hash differ|sizes differ/i,
    kind: (said) =>
      pass(
        'ChecksumMismatch',
        `the bytes were damaged on their way (${said})`,
        'If it happens again, check the network.',
      ),
  },
  {
    words:
      /connection (refused|reset|lost|closed)|no route|unreachable|i\/o timeout|timed out|no such host|dial tcp|\bEOF\b|broken pipe|couldn't connect|handshake failed|deadline exceeded|temporary failure/i,
    kind: (said) =>
      pass(
        'StoreUnreachable',
        `the connection failed (${said})`,
        'Look whether the remote is up, its address is right, and the network lets the Job through.',
      ),
  },
];
