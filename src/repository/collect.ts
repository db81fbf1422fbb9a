import { type Failure, terminal, transient } from '../domain/failure.ts';

/** What is read whole into memory is never more than this. */
export const smallObject = 64 * 1024 ** 2;

interface Expected {
  /** Missing where a proxy sends it in pieces; the protocol tells where they end. */
  readonly length: number | undefined;
  /** For messages. */
  readonly key: string;
  readonly alive?: () => void;
}

/** Reads an answer whole; one that breaks off or is too large is a Failure. */
export async function collectAnswer(body: unknown, { length, key, alive }: Expected): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = [];
  if (!isReadable(body)) return chunks;
  if (length !== undefined && length > smallObject) {
    discardAnswer(body);
    throw tooLarge(key, length);
  }
  let size = 0;
  for await (const chunk of body) {
    alive?.();
    size += chunk.length;
    if (length !== undefined && size > length) throw broken(key, 'more', length);
    if (size > smallObject) throw tooLarge(key, size);
    chunks.push(chunk);
  }
  if (length !== undefined && size < length) throw broken(key, `${size}`, length);
  return chunks;
}

export function discardAnswer(body: unknown): void {
  if (!isReadable(body)) return;
  // undici says of what is thrown away that it was aborted, and nobody listening, that would end the process.
  body.on('error', () => undefined);
  body.destroy();
}

function broken(key: string, got: string, length: number): Failure {
  return transient(
    'StoreUnreachable',
    `The answer for ${key} had ${got} bytes instead of ${length}: the connection broke. Look at the network.`,
  );
}

function tooLarge(key: string, size: number): Failure {
  return terminal(
    'ObjectTooLarge',
    `${key} has ${size} bytes or more, where a small file was expected. Look who wrote it.`,
  );
}

function isReadable(
  body: unknown,
): body is AsyncIterable<Buffer> & { destroy(): void; on(event: 'error', listener: () => void): unknown } {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body && 'destroy' in body;
}
