import { pageMarks } from './record-cursor.ts';
import { createTally, longestWanted, noteRecord, type Walked, walked } from './walk-records.ts';

/** Walks over the records of a segment as its bytes come, and finds what walkRecords() finds in the whole of it. */
export interface SegmentScanner {
  push(bytes: Buffer): void;
  /** What is known so far, as if the bytes that came were all. */
  found(): Scanned;
}

export interface Scanned extends Walked {
  /** Where the last whole record begins, at the latest; undefined where none ends here. */
  readonly lastRecord: number | undefined;
}

const { longHeader, shortHeader, recordHeader, alignment } = pageMarks;

interface Walk {
  /** What the present page goes on with. */
  within: 'Nothing' | 'Skipped' | 'Record';
  dead: boolean;
  /** Bytes of it that are still to come. */
  left: number;
  length: number;
  start: number;
  /** Of the record's beginning. */
  readonly head: Buffer;
  collected: number;
  previous: number | undefined;
  rejoining: boolean;
  end: number;
  lastRecord: number | undefined;
  switched: boolean;
}

/** `begin`: the segment's place. Memory is one page. */
export function scanSegment(begin: bigint, pageSize: number): SegmentScanner {
  const page = Buffer.alloc(pageSize);
  const tally = createTally();
  const high = Number(begin >> 32n);
  const low = Number(begin & 0xffffffffn);
  let walk: Walk = {
    ...{
      within: 'Nothing',
      dead: false,
      left: 0,
      length: 0,
      start: 0,
      head: Buffer.alloc(longestWanted),
      collected: 0,
    },
    ...{ previous: undefined, rejoining: false, end: 0, lastRecord: undefined, switched: false },
  };
  let magic: number | undefined;
  let filled = 0;
  let offset = 0;

  const isAddress = (bytes: Buffer, at: number, target: number) =>
    bytes.readUInt32LE(at) === low + target && bytes.readUInt32LE(at + 4) === high;
  /** Where the page's payload begins; undefined where it is not the page of this place, or does not go on as it should. */
  const enter = (bytes: Buffer): number | undefined => {
    if (offset === 0) {
      if (bytes.length < longHeader) return undefined;
      magic = bytes.readUInt16LE(0);
      if ((bytes.readUInt16LE(pageMarks.flags) & pageMarks.continues) === 0) return longHeader;
      walk.within = 'Skipped';
      walk.left = bytes.readUInt32LE(pageMarks.remaining);
      return longHeader;
    }
    if (bytes.length < shortHeader || bytes.readUInt16LE(0) !== magic) return undefined;
    if (!isAddress(bytes, pageMarks.address, offset)) return undefined;
    if (walk.within === 'Nothing') return shortHeader;
    const flags = bytes.readUInt16LE(pageMarks.flags);
    if ((flags & pageMarks.overwrites) !== 0) {
      walk.rejoining ||= walk.within === 'Record';
      walk.within = 'Nothing';
      return shortHeader;
    }
    const goesOn = (flags & pageMarks.continues) !== 0 && bytes.readUInt32LE(pageMarks.remaining) === walk.left;
    return goesOn ? shortHeader : undefined;
  };
  const follows = () => {
    const { head, previous, rejoining, start } = walk;
    const at = pageMarks.recordPrevious;
    if (previous !== undefined && !rejoining) return isAddress(head, at, previous);
    const upper = head.readUInt32LE(at + 4);
    return upper < high || (upper === high && head.readUInt32LE(at) < low + start);
  };
  const conclude = (end: number): boolean => {
    if (walk.within === 'Skipped') {
      walk.end = end;
      return true;
    }
    if (!follows()) return false;
    walk.previous = walk.start;
    walk.rejoining = false;
    walk.lastRecord = walk.end;
    walk.end = end;
    const { head, length } = walk;
    const record = {
      manager: head.readUInt8(pageMarks.recordManager),
      info: head.readUInt8(pageMarks.recordInfo) & 0xf0,
      end,
      copy: (into: Buffer) => head.copy(into, 0, 0, Math.min(into.length, length)),
    };
    if (!walk.switched) walk.switched = noteRecord(tally, record) === 'Switch';
    return true;
  };
  /** Goes through one page, or what there is of it; false where nothing changes any more. */
  const read = (bytes: Buffer): boolean => {
    let at = enter(bytes);
    if (at === undefined) return false;
    for (;;) {
      if (walk.within === 'Nothing') {
        if (at >= pageSize) return true;
        if (at + 4 > bytes.length) return false;
        const length = bytes.readUInt32LE(at);
        if (length < recordHeader) return false;
        Object.assign(walk, { within: 'Record', length, left: length, collected: 0, start: offset + at });
      }
      const here = Math.min(walk.left, pageSize - at);
      if (at + here > bytes.length) return false;
      if (walk.within === 'Record') walk.collected += bytes.copy(walk.head, walk.collected, at, at + here);
      walk.left -= here;
      at += here;
      if (walk.left > 0) return true;
      at = Math.ceil(at / alignment) * alignment;
      if (at > bytes.length || !conclude(offset + at)) return false;
      walk.within = 'Nothing';
    }
  };
  const complete = (bytes: Buffer) => {
    if (!walk.dead) walk.dead = !read(bytes);
    offset += pageSize;
  };
  return {
    push(bytes) {
      for (let from = 0; from < bytes.length; ) {
        if (filled === 0 && bytes.length - from >= pageSize) {
          complete(bytes.subarray(from, from + pageSize));
          from += pageSize;
          continue;
        }
        const taken = bytes.copy(page, filled, from);
        filled += taken;
        from += taken;
        if (filled < pageSize) continue;
        filled = 0;
        complete(page);
      }
    },
    found() {
      const before = {
        walk: { ...walk, head: Buffer.from(walk.head) },
        tally: { ...tally, restorePoints: [...tally.restorePoints] },
      };
      if (!walk.dead && filled > 0) read(page.subarray(0, filled));
      const { end, lastRecord, switched } = walk;
      const said = walked({ ...tally, restorePoints: [...tally.restorePoints] }, switched ? offset + filled : end);
      // The page may not be all: its rest is read with what is there already.
      walk = before.walk;
      Object.assign(tally, { ...before.tally, restorePoints: tally.restorePoints });
      tally.restorePoints.length = before.tally.restorePoints.length;
      return { ...said, lastRecord };
    },
  };
}
