import { parseWalFileName, startOfSegment } from '../../../src/domain/wal/file-name.ts';

export interface WrittenRecord {
  readonly manager: number;
  readonly info: number;
  /** What follows the record's 24 bytes of header. */
  readonly body: Buffer;
}

export interface SegmentOptions {
  readonly name: string;
  readonly segmentSize?: number;
  readonly systemIdentifier?: bigint;
  /** XLOG_PAGE_MAGIC. */
  readonly magic?: number;
  /** Of the first page, where it is not the name's. */
  readonly timeline?: number;
  /** Where the file says that it begins, if it lies. */
  readonly begin?: bigint;
  /** Bytes of a record that began in the segment before. */
  readonly carried?: number;
  readonly records?: readonly WrittenRecord[];
  /** What stands after the last record; zeros without. */
  readonly rest?: Buffer;
}

export interface Written {
  readonly content: Buffer;
  /** Where each record that fits ends, as an offset; the others go on into the next segment. */
  readonly ends: readonly number[];
}

export const testSystem = 7_300_000_000_000_000_001n;
const pageSize = 8192;

/** Writes WAL as a server does: records one after the other, aligned to 8 bytes, cut by the headers of pages. */
export function writeSegment(options: SegmentOptions): Written {
  const { name, segmentSize = 1024 ** 2, records = [], carried = 0, rest } = options;
  const file = parseWalFileName(name);
  if (file === undefined || file.kind === 'History') throw new RangeError(name);
  const begin = options.begin ?? startOfSegment(file.number, segmentSize);
  const content = Buffer.alloc(segmentSize);
  if (rest !== undefined) rest.copy(content);
  const header = { ...options, segmentSize, begin, timeline: options.timeline ?? file.timeline };
  let at = 0;
  const write = (bytes: Buffer): boolean => {
    for (let written = 0; written < bytes.length; ) {
      if (at >= segmentSize) return false;
      if (at % pageSize === 0) at += writePage(content, at, header, bytes.length - written);
      const here = Math.min(bytes.length - written, pageSize - (at % pageSize));
      bytes.copy(content, at, written, written + here);
      written += here;
      at += here;
    }
    at = Math.ceil(at / 8) * 8;
    return true;
  };
  if (carried === 0) at = writePage(content, 0, header, 0);
  else if (!write(Buffer.alloc(carried, 0xee))) return { content, ends: [] };
  const ends: number[] = [];
  let previous = begin - 8n;
  for (const record of records) {
    if (at >= segmentSize) break;
    if (at % pageSize === 0) at += writePage(content, at, header, 0);
    const start = begin + BigInt(at);
    if (!write(encode(record, previous))) break;
    ends.push(at);
    previous = start;
  }
  return { content, ends };
}

function encode({ manager, info, body }: WrittenRecord, previous: bigint): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(24 + body.length, 0);
  head.writeUInt32LE(777, 4);
  head.writeBigUInt64LE(previous, 8);
  head.writeUInt8(info, 16);
  head.writeUInt8(manager, 17);
  return Buffer.concat([head, body]);
}

interface PageHeader {
  readonly segmentSize: number;
  readonly begin: bigint;
  readonly timeline: number;
  readonly systemIdentifier?: bigint;
  readonly magic?: number;
}

function writePage(content: Buffer, at: number, page: PageHeader, remaining: number): number {
  const first = at === 0;
  content.fill(0, at, at + (first ? 40 : 24));
  content.writeUInt16LE(page.magic ?? 0xd110, at);
  content.writeUInt16LE((remaining > 0 ? 1 : 0) | (first ? 2 : 0), at + 2);
  content.writeUInt32LE(page.timeline, at + 4);
  content.writeBigUInt64LE(page.begin + BigInt(at), at + 8);
  content.writeUInt32LE(remaining, at + 16);
  if (!first) return 24;
  content.writeBigUInt64LE(page.systemIdentifier ?? testSystem, 24);
  content.writeUInt32LE(page.segmentSize, 32);
  content.writeUInt32LE(pageSize, 36);
  return 40;
}

/** Microseconds since 1970, as the server writes them. */
function timestamp(microseconds: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(microseconds) - 946_684_800_000_000n);
  return bytes;
}

export interface CommitOptions {
  readonly prepared?: boolean;
  readonly origin?: boolean;
  readonly toplevel?: boolean;
  /** Bytes after the time: dropped files, subtransactions, messages. */
  readonly extra?: number;
}

export function commitRecord(microseconds: number, options: CommitOptions = {}): WrittenRecord {
  const { prepared = false, origin = false, toplevel = false, extra = 0 } = options;
  const before = [
    ...(origin ? [Buffer.from([0xfd, 1, 0])] : []),
    ...(toplevel ? [Buffer.from([0xfc, 1, 0, 0, 0])] : []),
  ];
  const data = Buffer.concat([timestamp(microseconds), Buffer.alloc(extra, 0xab)]);
  return {
    manager: 1,
    info: prepared ? 0xb0 : extra > 0 ? 0x80 : 0x00,
    body: Buffer.concat([...before, withLength(data)]),
  };
}

export function restorePointRecord(microseconds: number, name: string): WrittenRecord {
  const label = Buffer.alloc(64);
  label.write(name);
  return { manager: 0, info: 0x70, body: withLength(Buffer.concat([timestamp(microseconds), label])) };
}

export const switchRecord: WrittenRecord = { manager: 0, info: 0x40, body: Buffer.alloc(0) };

/** Of a manager that nobody asks about, with any content. */
export function otherRecord(bytes: number): WrittenRecord {
  return { manager: 10, info: 0, body: Buffer.alloc(bytes, 0xcd) };
}

function withLength(data: Buffer): Buffer {
  if (data.length <= 255) return Buffer.concat([Buffer.from([0xff, data.length]), data]);
  const head = Buffer.alloc(5);
  head.writeUInt8(0xfe);
  head.writeUInt32LE(data.length, 1);
  return Buffer.concat([head, data]);
}
