import type { Lsn } from '../wal/lsn.ts';
import { recordCursor } from '../wal/record-cursor.ts';

/**
 * Where the last whole record of a segment begins, at the latest: replay stops at the first record that begins at or after
 * a target LSN, so that a later target is not reached. undefined where no record ends in it.
 */
export function lastRecordBegin(content: Buffer, begin: Lsn, pageSize: number): Lsn | undefined {
  const cursor = recordCursor(content, begin, pageSize);
  let last: number | undefined;
  for (let before = cursor.end; cursor.next(); before = cursor.end) last = before;
  return last === undefined ? undefined : begin + BigInt(last);
}
