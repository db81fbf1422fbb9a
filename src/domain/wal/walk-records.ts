import { recordCursor, recordHeader } from './record-cursor.ts';

/** Offsets in the segment; times in microseconds since 1970. */
export interface Walked {
  readonly firstCommit: number | undefined;
  readonly lastCommit: number | undefined;
  readonly commits: number;
  readonly restorePoints: readonly FoundPoint[];
  /** Where the last record ends. */
  readonly end: number;
}

export interface FoundPoint {
  readonly name: string;
  readonly time: number;
  readonly end: number;
}

// PostgreSQL: rmgrlist.h, pg_control.h (xlogManager), xact.h (transactionManager).
const xlogManager = 0;
const xlogSwitch = 0x40;
const xlogRestorePoint = 0x70;
const transactionManager = 1;
const transactionKinds = 0x70;
const commit = 0x00;
const commitPrepared = 0x30;

// xlogrecord.h: what stands between a record's header and its data, where it refers to no block.
const shortMainData = 0xff;
const longMainData = 0xfe;
const origin = 0xfd;
const toplevelTransaction = 0xfc;

const timeBytes = 8;
const restorePointName = 64;
const longestWanted = recordHeader + 3 + 5 + 5 + timeBytes + restorePointName;
/** 2000-01-01 in microseconds since 1970. */
const epoch = 946_684_800_000_000;

/** The commits and restore points of a segment. */
export function walkRecords(content: Buffer, begin: bigint, pageSize: number): Walked {
  const cursor = recordCursor(content, begin, pageSize);
  const scratch = Buffer.alloc(longestWanted);
  const restorePoints: FoundPoint[] = [];
  let firstCommit: number | undefined;
  let lastCommit: number | undefined;
  let commits = 0;
  while (cursor.next()) {
    const { manager, info } = cursor;
    if (manager === transactionManager && isCommit(info & transactionKinds)) {
      const data = mainData(scratch, cursor.copy(scratch));
      if (data === undefined) continue;
      const time = timeAt(scratch, data);
      commits += 1;
      if (time === undefined) continue;
      if (firstCommit === undefined || time < firstCommit) firstCommit = time;
      if (lastCommit === undefined || time > lastCommit) lastCommit = time;
    } else if (manager === xlogManager && info === xlogRestorePoint) {
      const data = mainData(scratch, cursor.copy(scratch));
      if (data === undefined || data + timeBytes + restorePointName > scratch.length) continue;
      const time = timeAt(scratch, data);
      if (time === undefined) continue;
      restorePoints.push({ name: nameAt(scratch, data + timeBytes), time, end: cursor.end });
    } else if (manager === xlogManager && info === xlogSwitch) {
      return { firstCommit, lastCommit, commits, restorePoints, end: content.length };
    }
  }
  return { firstCommit, lastCommit, commits, restorePoints, end: cursor.end };
}

function isCommit(operation: number): boolean {
  return operation === commit || operation === commitPrepared;
}

/** Where the record's own data begin; undefined for a record that is none of those asked about. */
function mainData(record: Buffer, length: number): number | undefined {
  for (let at = recordHeader; at + timeBytes <= length; ) {
    const id = record.readUInt8(at);
    if (id === shortMainData) return at + 2 + timeBytes <= length ? at + 2 : undefined;
    if (id === longMainData) return at + 5 + timeBytes <= length ? at + 5 : undefined;
    if (id === origin) at += 3;
    else if (id === toplevelTransaction) at += 5;
    else return undefined;
  }
  return undefined;
}

/** Exact: microseconds of the year 2255 are still a safe integer; what lies beyond is no time that a server has written. */
function timeAt(record: Buffer, at: number): number | undefined {
  const time = epoch + record.readInt32LE(at + 4) * 2 ** 32 + record.readUInt32LE(at);
  return Number.isSafeInteger(time) ? time : undefined;
}

function nameAt(record: Buffer, at: number): string {
  const end = record.indexOf(0, at);
  return record.toString('utf8', at, end < 0 ? at + restorePointName : Math.min(end, at + restorePointName));
}
