import { terminal, transient } from '../../domain/failure.ts';
import { parseWalFileName, type WalFile } from '../../domain/wal/file-name.ts';
import { checkSegment, segmentHeaderBytes } from '../../domain/wal/read-segment.ts';
import { parseTimelineHistory } from '../../domain/wal/timeline-history.ts';
import { exactly, largestInMemory } from '../../repository/large-wal.ts';
import type { CallOptions } from '../../repository/store.ts';
import type { Destinations } from './destinations.ts';
import type { Spool } from './spool.ts';

export interface ArchiveWork {
  readonly spool: Spool;
  readonly destinations: Destinations;
  /** Of the policy; WAL of any other server is refused. */
  readonly systemIdentifier: string | undefined;
}

export interface Waiting {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The repositories that have it. */
  readonly stored: Set<string>;
}

/** A history, or a label of a backup, is a text of a few lines. */
const largestText = 1024 ** 2;
const largestSegment = 1024 ** 3;

/** Takes one file from the spool to every repository, and answers the server. A file that has gone meanwhile is nothing. */
export async function archiveFile(work: ArchiveWork, waiting: Waiting, options: CallOptions): Promise<void> {
  const { spool, destinations } = work;
  const { name, size, stored } = waiting;
  const file = parseWalFileName(name);
  if (file === undefined) {
    throw terminal(
      'NoWalFile',
      `${JSON.stringify(name)} is no name of a WAL file. Only the server's archive_command puts files here; remove what else does.`,
    );
  }
  requireSize(file, name, size);
  const isLarge = size > largestInMemory;
  const begun = await spool.read(name, isLarge ? segmentHeaderBytes : size);
  const { systemIdentifier, segmentSize } = await identify(work, file, { name, size, begun });
  const content = isLarge ? { read: () => exactly(spool.stream(name), size, name) } : begun;
  await destinations.store({ name, content, systemIdentifier, segmentSize }, stored, options);
  await spool.markDone(name, systemIdentifier);
  // Not after a failure: what was given up may read it still.
  spool.release(begun);
}

interface Identity {
  readonly systemIdentifier: string;
  /** Where the file is a segment. */
  readonly segmentSize?: number;
}

async function identify(
  { spool, systemIdentifier }: ArchiveWork,
  file: WalFile,
  { name, size, begun }: { readonly name: string; readonly size: number; readonly begun: Buffer },
): Promise<Identity> {
  if (file.kind === 'Segment' || file.kind === 'Partial') {
    // What was cut short since it was looked at is no segment.
    const length = size > largestInMemory ? size : begun.length;
    return checkSegment(begun, name, { systemIdentifier }, length);
  }
  if (file.kind === 'History') requireHistory(name, begun);
  const own = await spool.systemIdentifier();
  if (own !== undefined && systemIdentifier !== undefined && own !== systemIdentifier) {
    throw terminal(
      'ForeignWal',
      `${name} is of the server with the system identifier ${own}, not of ${systemIdentifier}, whose WAL is archived here. A copy of a server must not archive beside the original: give it a policy of its own.`,
    );
  }
  const known = own ?? systemIdentifier;
  if (known !== undefined) return { systemIdentifier: known };
  throw transient(
    'ServerUnknown',
    `Nothing says yet which server ${name} is of: archive_command leaves that in the spool when it runs. It is tried again.`,
  );
}

/** Before a byte is read: what is not of a possible size must not fill the memory. */
function requireSize(file: WalFile, name: string, size: number): void {
  const text = file.kind === 'History' || file.kind === 'BackupHistory';
  if (size > 0 && size <= (text ? largestText : largestSegment)) return;
  throw terminal(
    'InvalidWal',
    `${name} has ${size} bytes, which it cannot have. It is not archived, since no recovery could use it. Look at the file in pg_wal and at the disk below it; where it is beyond repair, make a new full backup as soon as the server archives again.`,
  );
}

function requireHistory(name: string, content: Buffer): void {
  try {
    parseTimelineHistory(content.toString('utf8'));
  } catch (cause) {
    throw terminal(
      'InvalidWal',
      `${name} is not a timeline history file: ${cause instanceof Error ? cause.message : String(cause)}. Look at the file in pg_wal and at the disk below it.`,
      cause,
    );
  }
}
