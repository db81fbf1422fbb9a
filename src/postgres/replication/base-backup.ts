import { type Lsn, parseLsn } from '../../domain/wal/lsn.ts';
import type { Replication } from './connection.ts';
import type { CopyEvent } from './copy-out.ts';

export interface BaseBackupOptions {
  readonly label: string;
  readonly checkpoint: 'Fast' | 'Spread';
  /** kB per second, 32 to 1048576. */
  readonly maxRate?: number;
  /** The WAL that makes it consistent comes along in the data directory's archive. */
  readonly wal: boolean;
  /** The server packs each tar into a zstd stream (typedSince and later). maxRate is then of what is packed. */
  readonly zstd?: { readonly level: number; readonly workers?: number };
  /** Only what has changed since the backup whose manifest was uploaded on this connection (PostgreSQL 17 and later). */
  readonly incremental?: boolean;
}

export interface Position {
  readonly lsn: Lsn;
  readonly timeline: number;
}

/** Without an OID: the data directory. */
export interface ArchiveSource {
  readonly oid?: string;
  readonly location?: string;
  /** Bytes, as the server estimates them. */
  readonly size: number;
}

/** In this order, with any number of Data, Progress and Warning between. */
export type BackupEvent =
  | ({ readonly kind: 'Start' } & Position)
  | { readonly kind: 'Sources'; readonly sources: readonly ArchiveSource[] }
  /** A tar begins; the tablespace's OID, undefined for the data directory. */
  | { readonly kind: 'Archive'; readonly oid: string | undefined }
  | { readonly kind: 'Manifest' }
  /** Of the archive or manifest that began last. */
  | { readonly kind: 'Data'; readonly data: Buffer }
  /** Of all tars, before they are packed. Comes now and then, and at the end of each. */
  | { readonly kind: 'Progress'; readonly bytes: number }
  /** What the server complains of on its way, such as pages with a wrong checksum. */
  | { readonly kind: 'Warning'; readonly text: string }
  | ({ readonly kind: 'End' } & Position);

/** Copies a whole server. Rejects with a Failure; a page with a wrong checksum makes it DataCorrupted, at the very end. */
export function copyServer(
  replication: Pick<Replication, 'copyOut'>,
  major: number,
  options: BaseBackupOptions,
): AsyncIterable<BackupEvent> {
  return decodeBackup(replication.copyOut(baseBackupCommand(options, major)), major);
}

/** The first version with options in parentheses, typed messages and compression. */
export const typedSince = 15;

/**
 * pg_basebackup's own choice. The server reads, sums and sends in one process, so that SHA-256 would make a backup last
 * half as long again; what is stored has digests of its own.
 */
const manifestChecksums = "MANIFEST_CHECKSUMS 'CRC32C'";

/** PostgreSQL, "Streaming Replication Protocol": the server is not to wait for its archive, which the agent asks itself. */
export function baseBackupCommand(asked: BaseBackupOptions, major: number): string {
  const { label, checkpoint, maxRate, wal, zstd, incremental = false } = asked;
  const quoted = `'${label.replaceAll("'", "''")}'`;
  if (major >= typedSince) {
    const options = [
      `LABEL ${quoted}`,
      'PROGRESS',
      `CHECKPOINT '${checkpoint.toLowerCase()}'`,
      ...(wal ? ['WAL'] : []),
      'WAIT 0',
      ...(maxRate === undefined ? [] : [`MAX_RATE ${maxRate}`]),
      'TABLESPACE_MAP',
      "MANIFEST 'yes'",
      manifestChecksums,
      ...(incremental ? ['INCREMENTAL'] : []),
      ...(zstd === undefined ? [] : ["COMPRESSION 'zstd'", `COMPRESSION_DETAIL '${detailOf(zstd)}'`]),
    ];
    return `BASE_BACKUP (${options.join(', ')})`;
  }
  const options = [
    `LABEL ${quoted}`,
    'PROGRESS',
    ...(checkpoint === 'Fast' ? ['FAST'] : []),
    ...(wal ? ['WAL'] : []),
    'NOWAIT',
    ...(maxRate === undefined ? [] : [`MAX_RATE ${maxRate}`]),
    'TABLESPACE_MAP',
    "MANIFEST 'yes'",
    manifestChecksums,
  ];
  return `BASE_BACKUP ${options.join(' ')}`;
}

function detailOf({ level, workers }: { readonly level: number; readonly workers?: number }): string {
  return [`level=${level}`, ...(workers === undefined ? [] : [`workers=${workers}`])].join(',');
}

/** Throws a RangeError for what is no base backup. */
export async function* decodeBackup(
  events: AsyncIterable<CopyEvent>,
  major: number,
): AsyncGenerator<BackupEvent, void, void> {
  const typed = major >= typedSince ? typedMessages() : undefined;
  let sources: readonly ArchiveSource[] = [];
  let results = 0;
  let copies = 0;
  for await (const event of events) {
    switch (event.kind) {
      case 'Rows':
        results += 1;
        if (results === 1) yield { kind: 'Start', ...positionOf(event.rows) };
        else if (results === 2) {
          sources = sourcesOf(event.rows);
          yield { kind: 'Sources', sources };
        } else yield { kind: 'End', ...positionOf(event.rows) };
        break;
      case 'Begin':
        if (typed === undefined) {
          const source = sources[copies];
          yield source === undefined ? { kind: 'Manifest' } : { kind: 'Archive', oid: source.oid };
        }
        copies += 1;
        break;
      case 'Part': {
        const decoded = typed === undefined ? ({ kind: 'Data', data: event.bytes } as const) : typed(event);
        if (decoded !== undefined) yield decoded;
        break;
      }
      case 'Notice':
        yield { kind: 'Warning', text: event.text };
        break;
      case 'End':
        break;
    }
  }
  if (results < 3) throw new RangeError(`a base backup of ${results} results instead of 3`);
}

type Row = Readonly<Record<string, string | null>>;

function positionOf([row]: readonly Row[]): Position {
  return { lsn: parseLsn(row?.recptr ?? ''), timeline: Number(row?.tli) };
}

function sourcesOf(rows: readonly Row[]): readonly ArchiveSource[] {
  return rows.map(({ spcoid, spclocation, size }) => ({
    ...(spcoid == null ? {} : { oid: spcoid }),
    ...(spclocation == null ? {} : { location: spclocation }),
    // In kB.
    size: Number(size ?? 0) * 1024,
  }));
}

const letters = { archive: 0x6e, manifest: 0x6d, data: 0x64, progress: 0x70 };

/** One letter tells what a message is; all but data are small, and come whole. */
function typedMessages(): (part: {
  readonly bytes: Buffer;
  readonly first: boolean;
  readonly last: boolean;
}) => BackupEvent | undefined {
  let letter: number | undefined;
  let held: Buffer[] = [];
  return ({ bytes, first, last }) => {
    if (first) letter = bytes[0];
    const content = first ? bytes.subarray(1) : bytes;
    if (letter === letters.data) return content.length === 0 ? undefined : { kind: 'Data', data: content };
    held.push(content);
    if (!last) return undefined;
    const whole = Buffer.concat(held);
    held = [];
    switch (letter) {
      case letters.archive:
        return { kind: 'Archive', oid: oidOf(whole) };
      case letters.manifest:
        return { kind: 'Manifest' };
      case letters.progress:
        if (whole.length < 8) throw new RangeError(`a message of progress of ${whole.length} bytes in a base backup`);
        return { kind: 'Progress', bytes: Number(whole.readBigUInt64BE(0)) };
      default:
        throw new RangeError(`a message ${JSON.stringify(String.fromCharCode(letter ?? 0))} in a base backup`);
    }
  };
}

/** The name is base.tar, or that of a tablespace: 16385.tar, with .zst where the server packs it. */
function oidOf(message: Buffer): string | undefined {
  const name = message.toString('utf8', 0, message.indexOf(0));
  const [, tar] = /^(base|\d+)\.tar(\.zst)?$/.exec(name) ?? [];
  if (tar === undefined) throw new RangeError(`an archive ${name} in a base backup`);
  return tar === 'base' ? undefined : tar;
}
