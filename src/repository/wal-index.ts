import { z } from 'zod';
import type { Encryption } from '../domain/encryption.ts';
import { Failure, terminal } from '../domain/failure.ts';
import { parseWalFileName } from '../domain/wal/file-name.ts';
import { readSegment, readSegmentInPieces, scanInPieces } from '../domain/wal/read-segment.ts';
import { sha256Of } from '../stream/digest.ts';
import { digestOf, type LargeWal, type WalContent } from './large-wal.ts';
import type { CallOptions, Store } from './store.ts';

/**
 * What stands beside an encrypted WAL file, readable without an identity: whose content it is, by a digest, and what the
 * watcher asks of it. It is written before the file, so that there is none without it.
 */
const index = z.object({
  format: z.literal(1),
  /** Of the file as the server wrote it. */
  size: z.int().nonnegative(),
  sha256: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  firstCommitTime: z.iso.datetime().optional(),
  lastCommitTime: z.iso.datetime().optional(),
  encryption: z.object({ scheme: z.enum(['age', 'gpg']), recipients: z.array(z.string()) }),
});

export type WalIndex = z.output<typeof index>;

export interface CommitTimes {
  readonly firstCommitTime: Date | undefined;
  readonly lastCommitTime: Date | undefined;
}

export async function indexOf(
  name: string,
  content: WalContent,
  { scheme, recipients }: Encryption,
): Promise<WalIndex> {
  const { digest, times } = Buffer.isBuffer(content) ? whole(name, content) : await inPieces(name, content);
  const { firstCommitTime, lastCommitTime } = times ?? {};
  return {
    format: 1,
    ...digest,
    ...(firstCommitTime === undefined ? {} : { firstCommitTime: firstCommitTime.toISOString() }),
    ...(lastCommitTime === undefined ? {} : { lastCommitTime: lastCommitTime.toISOString() }),
    encryption: { scheme, recipients: [...recipients] },
  };
}

export async function describes({ size, sha256 }: WalIndex, content: WalContent): Promise<boolean> {
  if (Buffer.isBuffer(content)) return size === content.length && sha256 === sha256Of(content);
  const digest = await digestOf(content);
  return size === digest.size && sha256 === digest.sha256;
}

function whole(name: string, content: Buffer) {
  const digest = { size: content.length, sha256: sha256Of(content) };
  return { digest, times: commitTimesIfRead(() => commitTimesIn(name, content)) };
}

async function inPieces(name: string, content: LargeWal) {
  const scanning = scanInPieces(name);
  let isSegment = true;
  const digest = await digestOf(content, (piece) => {
    if (isSegment) isSegment = commitTimesIfRead(() => scanning.push(piece) ?? true) ?? false;
  });
  return { digest, times: isSegment ? commitTimesIfRead(() => scanning.facts()) : undefined };
}

export function commitTimesOf({ firstCommitTime, lastCommitTime }: WalIndex): CommitTimes {
  return { firstCommitTime: asDate(firstCommitTime), lastCommitTime: asDate(lastCommitTime) };
}

/** undefined for what is no segment. */
export function commitTimesIn(name: string, content: Buffer): CommitTimes | undefined {
  const kind = parseWalFileName(name)?.kind;
  if (kind !== 'Segment' && kind !== 'Partial') return undefined;
  return readSegment(content, name);
}

/** The same of one that is too large for the memory. */
export async function commitTimesOfPieces(
  name: string,
  pieces: AsyncIterable<Buffer>,
): Promise<CommitTimes | undefined> {
  const kind = parseWalFileName(name)?.kind;
  return kind === 'Segment' || kind === 'Partial' ? await readSegmentInPieces(pieces, name) : undefined;
}

/** Whether the times can be told is no condition of archiving. */
function commitTimesIfRead<Read>(read: () => Read): Read | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** 'Written' where there was none; what is there stays as it is, and is for the caller to compare. */
export async function writeIndex(
  store: Store,
  key: string,
  record: WalIndex,
  options: CallOptions,
): Promise<'Written' | 'AlreadyThere'> {
  const body = Buffer.from(`${JSON.stringify(record)}\n`);
  const put = (ifAbsent: boolean) => store.put(key, body, { ...options, ifAbsent, contentType: 'application/json' });
  try {
    await put(true);
    return 'Written';
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'ObjectExists') throw error;
    // What a writer leaves that is killed between taking the name and giving it a content.
    if ((await store.head(key, options))?.size !== 0) return 'AlreadyThere';
    await put(false);
    return 'Written';
  }
}

/** undefined where there is none. */
export async function readIndex(store: Store, key: string, options: CallOptions): Promise<WalIndex | undefined> {
  const body = await store.get(key, options).catch((error: unknown) => {
    if (error instanceof Failure && error.reason === 'NoSuchObject') return undefined;
    throw error;
  });
  if (body === undefined || body.length === 0) return undefined;
  try {
    return index.parse(JSON.parse(body.toString('utf8')));
  } catch (cause) {
    throw terminal(
      'DamagedIndex',
      `${key} in ${store.description} is not what stands beside an encrypted WAL file: ${cause instanceof Error ? cause.message.slice(0, 300) : String(cause)}. Bring it back from a copy of the repository. Where there is none, move both this object and its WAL file away, and make a new full backup.`,
      cause,
    );
  }
}

function asDate(time: string | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}
