import { heartbeatOf } from './heartbeat-message.ts';
import { type RecordCursor, recordCursor, recordHeader } from './record-cursor.ts';

/** Offsets in the segment; times in microseconds since 1970. */
export interface Walked {
  readonly firstCommit: number | undefined;
  readonly lastCommit: number | undefined;
  readonly commits: number;
  readonly restorePoints: readonly FoundPoint[];
  /** What the last heartbeat says: every how many seconds there is one. */
  readonly heartbeatSeconds: number | undefined;
  /** Where the last record ends. */
  readonly end: number;
}

export interface FoundPoint {
  readonly name: string;
  readonly time: number;
  readonly end: number;
}

// PostgreSQL: rmgrlist.h, pg_control.h (xlogManager), xact.h (transactionManager), message.h (logicalMessageManager).
const xlogManager = 0;
const xlogSwitch = 0x40;
const xlogRestorePoint = 0x70;
const transactionManager = 1;
const transactionKinds = 0x70;
const commit = 0x00;
const commitPrepared = 0x30;
const logicalMessageManager = 21;

// xlogrecord.h: what stands between a record's header and its data, where it refers to no block.
const shortMainData = 0xff;
const longMainData = 0xfe;
const origin = 0xfd;
const toplevelTransaction = 0xfc;

const timeBytes = 8;
const restorePointName = 64;
/** Bytes of a record's beginning that anything of it is told by. */
export const longestWanted = recordHeader + 3 + 5 + 5 + timeBytes + restorePointName;
/** 2000-01-01 in microseconds since 1970. */
const epoch = 946_684_800_000_000;

/** What the records so far have told. */
export interface RecordTally {
  firstCommit: number | undefined;
  lastCommit: number | undefined;
  commits: number;
  heartbeatSeconds: number | undefined;
  readonly restorePoints: FoundPoint[];
  readonly scratch: Buffer;
}

export function createTally(): RecordTally {
  return {
    firstCommit: undefined,
    lastCommit: undefined,
    commits: 0,
    heartbeatSeconds: undefined,
    restorePoints: [],
    scratch: Buffer.alloc(longestWanted),
  };
}

/** The commits and restore points of a segment. */
export function walkRecords(content: Buffer, begin: bigint, pageSize: number): Walked {
  const cursor = recordCursor(content, begin, pageSize);
  const tally = createTally();
  while (cursor.next()) if (noteRecord(tally, cursor) === 'Switch') return walked(tally, content.length);
  return walked(tally, cursor.end);
}

/** `end`: where the last record ends; after a switch, where the segment does. */
export function walked({ scratch: _, ...told }: RecordTally, end: number): Walked {
  return { ...told, end };
}

/** What nobody asks about is not even copied. After a switch the segment holds nothing more. */
export function noteRecord(
  tally: RecordTally,
  record: Pick<RecordCursor, 'manager' | 'info' | 'end' | 'copy'>,
): 'Switch' | undefined {
  const { scratch } = tally;
  const { manager, info } = record;
  if (manager === transactionManager && isCommit(info & transactionKinds)) {
    const data = mainData(scratch, record.copy(scratch));
    if (data === undefined) return undefined;
    const time = timeAt(scratch, data);
    tally.commits += 1;
    // No instant at all: the commit counts, its time does not.
    if (time === undefined) return undefined;
    if (tally.firstCommit === undefined || time < tally.firstCommit) tally.firstCommit = time;
    if (tally.lastCommit === undefined || time > tally.lastCommit) tally.lastCommit = time;
  } else if (manager === xlogManager && info === xlogRestorePoint) {
    const data = mainData(scratch, record.copy(scratch));
    if (data === undefined || data + timeBytes + restorePointName > scratch.length) return undefined;
    const time = timeAt(scratch, data);
    if (time === undefined) return undefined;
    tally.restorePoints.push({ name: nameAt(scratch, data + timeBytes), time, end: record.end });
  } else if (manager === xlogManager && info === xlogSwitch) {
    return 'Switch';
  } else if (manager === logicalMessageManager) {
    const length = record.copy(scratch);
    const data = mainData(scratch, length);
    if (data !== undefined)
      tally.heartbeatSeconds = heartbeatOf(scratch.subarray(data, length)) ?? tally.heartbeatSeconds;
  }
  return undefined;
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
