import { terminal } from '../failure.ts';
import { parseWalFileName, startOfSegment } from './file-name.ts';
import type { Lsn } from './lsn.ts';
import { type SegmentScanner, scanSegment } from './scan-segment.ts';
import { type Walked, walkRecords } from './walk-records.ts';

/** What the first page of a segment says (PostgreSQL, XLogLongPageHeaderData). */
export interface SegmentHeader {
  readonly systemIdentifier: string;
  /** Bytes. */
  readonly segmentSize: number;
  readonly pageSize: number;
  /** Of the server that wrote it. */
  readonly major: number;
  /** Of the first page: a timeline's first segment begins with its parent's bytes. */
  readonly timeline: number;
  readonly begin: Lsn;
}

export interface RestorePoint {
  readonly name: string;
  readonly time: Date;
  /** The end of its record. */
  readonly lsn: Lsn;
}

export interface SegmentFacts extends SegmentHeader {
  /** The earliest and the latest commit whose record lies whole in the segment. */
  readonly firstCommitTime: Date | undefined;
  readonly lastCommitTime: Date | undefined;
  /** The latest commit once more, in microseconds since 1970, as the server has it. */
  readonly lastCommitMicroseconds: number | undefined;
  readonly commits: number;
  readonly restorePoints: readonly RestorePoint[];
  /** Of the last heartbeat in it: every how many seconds there is one. */
  readonly heartbeatSeconds: number | undefined;
  /** The end of the last record that ends in the segment; the segment's begin where none does, its end after a switch. */
  readonly endOfRecords: Lsn;
}

export interface Expected {
  readonly systemIdentifier?: string | undefined;
  readonly segmentSize?: number | undefined;
}

/** XLOG_PAGE_MAGIC of each major (PostgreSQL, xlog_internal.h). */
const majors: ReadonlyMap<number, number> = new Map([
  [0xd106, 13],
  [0xd10d, 14],
  [0xd110, 15],
  [0xd113, 16],
  [0xd116, 17],
  [0xd118, 18],
]);

const smallestPage = 2 ** 10;
const largestPage = 2 ** 16;
const longHeaderFlag = 0x0002;
/** So many bytes tell what segment it is. */
export const segmentHeaderBytes = 40;
/** And so many whether what follows goes with that. */
const tellingBytes = largestPage + 16;

/**
 * Reads the header of a segment or .partial file and holds it against the name. Rejects, with a terminal InvalidWal or
 * ForeignWal, what the server cannot have meant to be archived under it.
 */
export function checkSegment(
  content: Buffer,
  name: string,
  expected: Expected = {},
  /** Of the file, where `content` is its beginning alone. */
  length: number = content.length,
): SegmentHeader {
  const header = readHeader(content, name);
  if (expected.systemIdentifier !== undefined && header.systemIdentifier !== expected.systemIdentifier) {
    throw terminal(
      'ForeignWal',
      `${name} was written by the server with the system identifier ${header.systemIdentifier}, not by ${expected.systemIdentifier}, whose WAL is archived here. A copy of a server must not archive beside the original: give it a policy of its own.`,
    );
  }
  if (expected.segmentSize !== undefined && header.segmentSize !== expected.segmentSize) {
    throw invalid(name, `is of a server with segments of ${header.segmentSize} bytes, not ${expected.segmentSize}`);
  }
  if (length !== header.segmentSize) {
    throw invalid(name, `has ${length} bytes, and its header says ${header.segmentSize}`);
  }
  return header;
}

/**
 * The header, and what a walk over the records finds. A file that ends early is read as far as it goes. A record that goes
 * on into the next segment belongs to neither.
 */
export function readSegment(content: Buffer, name: string): SegmentFacts {
  const header = readHeader(content, name);
  return factsOf(header, walkRecords(content, header.begin, header.pageSize));
}

/** The same of a segment that comes in pieces, in the memory of one page; and where its last whole record begins, at the latest. */
export async function readSegmentInPieces(
  pieces: AsyncIterable<Buffer>,
  name: string,
): Promise<SegmentFacts & { readonly lastRecord: Lsn | undefined }> {
  const scanning = scanInPieces(name);
  for await (const piece of pieces) scanning.push(piece);
  return scanning.facts();
}

export interface Scanning {
  push(piece: Buffer): void;
  /** Of what has come. Rejects what begins like no segment. */
  facts(): SegmentFacts & { readonly lastRecord: Lsn | undefined };
}

export function scanInPieces(name: string): Scanning {
  let scanner: SegmentScanner | undefined;
  let head: Buffer = Buffer.alloc(0);
  return {
    push(piece) {
      const before = head;
      if (head.length < tellingBytes) head = Buffer.concat([head, piece.subarray(0, tellingBytes - head.length)]);
      if (scanner === undefined) {
        if (head.length < segmentHeaderBytes) return;
        const { begin, pageSize } = readHeader(head, name);
        scanner = scanSegment(begin, pageSize);
        if (before.length > 0) scanner.push(before);
      }
      scanner.push(piece);
    },
    facts() {
      if (scanner === undefined) throw invalid(name, `has ${head.length} bytes, which is no segment`);
      // Once more: what stands at the second page's place may have come later.
      const header = readHeader(head, name);
      const found = scanner.found();
      const { lastRecord } = found;
      return {
        ...factsOf(header, found),
        lastRecord: lastRecord === undefined ? undefined : header.begin + BigInt(lastRecord),
      };
    },
  };
}

function factsOf(header: SegmentHeader, found: Walked): SegmentFacts {
  return {
    ...header,
    firstCommitTime: dateOf(found.firstCommit),
    lastCommitTime: dateOf(found.lastCommit),
    lastCommitMicroseconds: found.lastCommit,
    commits: found.commits,
    restorePoints: found.restorePoints.map(({ name: label, time, end }) => ({
      name: label,
      time: new Date(Math.floor(time / 1000)),
      lsn: header.begin + BigInt(end),
    })),
    heartbeatSeconds: found.heartbeatSeconds,
    endOfRecords: header.begin + BigInt(found.end),
  };
}

function readHeader(content: Buffer, name: string): SegmentHeader {
  const file = parseWalFileName(name);
  if (file?.kind !== 'Segment' && file?.kind !== 'Partial') {
    throw terminal('NoWalFile', `${JSON.stringify(name)} is no name of a WAL segment.`);
  }
  if (content.length < segmentHeaderBytes) throw invalid(name, `has ${content.length} bytes, which is no segment`);
  const magic = content.readUInt16LE(0);
  const major = majors.get(magic);
  if (major === undefined || (content.readUInt16LE(2) & longHeaderFlag) === 0) {
    throw invalid(
      name,
      `does not begin like WAL of PostgreSQL 13 to 18 (0x${magic.toString(16).toUpperCase().padStart(4, '0')})`,
    );
  }
  const timeline = content.readUInt32LE(4);
  const address = content.readBigUInt64LE(8);
  const segmentSize = content.readUInt32LE(32);
  const pageSize = content.readUInt32LE(36);
  if (!isPowerOfTwo(segmentSize, 2 ** 20, 2 ** 30) || !isPowerOfTwo(pageSize, smallestPage, largestPage)) {
    throw invalid(name, `has a header with impossible sizes (segment ${segmentSize}, page ${pageSize})`);
  }
  const begin = startOfSegment(file.number, segmentSize);
  if (file.number.segment >= 2 ** 32 / segmentSize) throw invalid(name, 'has a name that no server gives a segment');
  if (address !== begin) throw invalid(name, `holds the WAL of another place, as a recycled file does`);
  if (timeline === 0) throw invalid(name, 'begins on timeline 0, which no server has');
  if (timeline > file.timeline) throw invalid(name, `begins on timeline ${timeline}, later than its name`);
  const found = secondPage(content, begin);
  if (found !== undefined && (found.at !== pageSize || found.magic !== magic))
    throw invalid(name, 'has pages that do not go with its header');
  return { systemIdentifier: String(content.readBigUInt64LE(24)), segmentSize, pageSize, major, timeline, begin };
}

/** The first page behind the header's that says of itself that it is at its place; where there is one, it tells the size of all. */
function secondPage(content: Buffer, begin: Lsn): { readonly at: number; readonly magic: number } | undefined {
  for (let at = smallestPage; at <= largestPage && at + 16 <= content.length; at *= 2) {
    const magic = content.readUInt16LE(at);
    if (majors.has(magic) && content.readBigUInt64LE(at + 8) === begin + BigInt(at)) return { at, magic };
  }
  return undefined;
}

function invalid(name: string, why: string) {
  return terminal(
    'InvalidWal',
    `${name} ${why}. It is not archived, since no recovery could use it. Look at the file in pg_wal and at the disk below it; where it is beyond repair, make a new full backup as soon as the server archives again.`,
  );
}

function isPowerOfTwo(number: number, least: number, most: number): boolean {
  return number >= least && number <= most && (number & (number - 1)) === 0;
}

function dateOf(microseconds: number | undefined): Date | undefined {
  return microseconds === undefined ? undefined : new Date(Math.floor(microseconds / 1000));
}
