import { createHash, type Hash } from 'node:crypto';
import { type Failure, transient } from '../domain/failure.ts';

export interface Digest {
  readonly size: number;
  /** `sha256:` and the hex digest. */
  readonly sha256: string;
}

/** `sha256:` and the hex digest. */
export function sha256Of(bytes: Buffer): string {
  return textOf(createHash('sha256').update(bytes));
}

/** What a hash has come to, as it is written down. */
export function textOf(hash: Hash): string {
  return `sha256:${hash.digest('hex')}`;
}

/** Passes the bytes through and counts and hashes them. `digest()` is of what has passed so far. */
export function digesting(source: AsyncIterable<Buffer>): {
  readonly stream: AsyncIterable<Buffer>;
  readonly digest: () => Digest;
} {
  const hash = createHash('sha256');
  let size = 0;
  async function* pass() {
    for await (const chunk of source) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  return { stream: pass(), digest: () => ({ size, sha256: textOf(hash.copy()) }) };
}

/**
 * Passes the bytes through, but rejects with ChecksumMismatch instead of ending where they were not the expected ones,
 * and at once where there are too many. `what` names the object in the message.
 */
export async function* verified(
  source: AsyncIterable<Buffer>,
  expected: Digest,
  what: string,
): AsyncGenerator<Buffer, void, void> {
  const { stream, digest } = digesting(source);
  let passed = 0;
  for await (const chunk of stream) {
    passed += chunk.length;
    if (passed > expected.size) throw mismatch(what, expected, 'is longer than that');
    yield chunk;
  }
  const { size, sha256 } = digest();
  if (size !== expected.size) throw mismatch(what, expected, `has ${size} bytes`);
  if (sha256 !== expected.sha256) throw mismatch(what, expected, `has the digest ${sha256}`);
}

// Transient: bytes damaged on the way are whole when they are read again.
function mismatch(what: string, expected: Digest, found: string): Failure {
  return transient(
    'ChecksumMismatch',
    `${what} should have ${expected.size} bytes and the digest ${expected.sha256}, but ${found}: it was damaged or cut short. If it stays so when tried again, use another backup.`,
  );
}
