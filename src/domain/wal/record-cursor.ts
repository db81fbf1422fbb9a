/** One record after the other of a segment; the fields are those of the record that `next` went to. */
export interface RecordCursor {
  /** False at the first record that is not whole, where nothing of it changes any more. */
  next(): boolean;
  readonly manager: number;
  /** The upper four bits of xl_info, which are the manager's own. */
  readonly info: number;
  /** Bytes, without the headers of pages. */
  readonly length: number;
  /** The offset in the segment where the last record ends. */
  readonly end: number;
  /** Copies the record's first bytes, without the headers of pages; gives how many. */
  copy(into: Buffer): number;
}

// PostgreSQL, xlog_internal.h and xlogrecord.h.
const longPageHeader = 40;
const shortPageHeader = 24;
const pageFlags = 2;
const pageAddress = 8;
const pageRemaining = 16;
const continues = 0x01;
const overwritesContinued = 0x08;

export const recordHeader = 24;
const recordPrevious = 8;
const recordInfo = 16;
const recordManager = 17;
const alignment = 8;

/** Of pages and records, for who reads them as they come (scan-segment.ts). */
export const pageMarks = {
  longHeader: longPageHeader,
  shortHeader: shortPageHeader,
  flags: pageFlags,
  address: pageAddress,
  remaining: pageRemaining,
  continues,
  overwrites: overwritesContinued,
  recordHeader,
  recordPrevious,
  recordInfo,
  recordManager,
  alignment,
} as const;

/**
 * Reads as recovery does: every page must say that it is the one of this place, and every record must name the one before
 * it, so that what a recycled file holds after the end is not taken for WAL. Nothing is allocated for a record.
 */
export function recordCursor(content: Buffer, begin: bigint, pageSize: number): RecordCursor {
  const magic = content.readUInt16LE(0);
  const beginHigh = Number(begin >> 32n);
  const beginLow = Number(begin & 0xffffffffn);
  let at: number | undefined;
  let previous: number | undefined;
  let rejoining = false;

  /** A segment does not cross 4 GiB, so the upper half of its addresses is the same. */
  const isAddress = (offset: number, target: number) =>
    content.readUInt32LE(offset) === beginLow + target && content.readUInt32LE(offset + 4) === beginHigh;
  const isPage = (page: number) =>
    page + shortPageHeader <= content.length &&
    content.readUInt16LE(page) === magic &&
    isAddress(page + pageAddress, page);
  const headerOf = (page: number) => (page === 0 ? longPageHeader : shortPageHeader);
  const pageOf = (offset: number) => offset - (offset % pageSize);

  /** The offset `bytes` of payload further on; where a page ends with them, that end. */
  const advance = (offset: number, bytes: number): number => {
    const here = pageSize - (offset % pageSize);
    if (bytes <= here) return offset + bytes;
    const perPage = pageSize - shortPageHeader;
    const beyond = bytes - here;
    const pages = Math.ceil(beyond / perPage);
    return offset + here + (pages - 1) * pageSize + shortPageHeader + (beyond - (pages - 1) * perPage);
  };
  const align = (offset: number) => Math.ceil(offset / alignment) * alignment;

  /** The page on which a record was given up for a newer one; -1 where it is whole, undefined where it breaks off. */
  const brokenAt = (offset: number, bytes: number): number | undefined => {
    let remaining = bytes - (pageSize - (offset % pageSize));
    for (let page = pageOf(offset) + pageSize; remaining > 0; page += pageSize) {
      if (!isPage(page)) return undefined;
      const flags = content.readUInt16LE(page + pageFlags);
      if ((flags & overwritesContinued) !== 0) return page;
      if ((flags & continues) === 0 || content.readUInt32LE(page + pageRemaining) !== remaining) return undefined;
      remaining -= pageSize - shortPageHeader;
    }
    return -1;
  };

  /** Where a record may begin at or after an offset. */
  const recordFrom = (offset: number): number | undefined => {
    if (offset % pageSize !== 0) return offset < content.length ? offset : undefined;
    return isPage(offset) ? offset + headerOf(offset) : undefined;
  };

  const cursor = { manager: 0, info: 0, length: 0, end: 0, next, copy };
  stepOver();
  return cursor;

  /** What goes on from the segment before is stepped over. */
  function stepOver(): void {
    const flags = content.readUInt16LE(pageFlags);
    const remaining = content.readUInt32LE(pageRemaining);
    if ((flags & continues) === 0) {
      at = longPageHeader;
      return;
    }
    const broken = brokenAt(longPageHeader, remaining);
    if (broken === undefined) return;
    if (broken >= 0) {
      at = recordFrom(broken);
      return;
    }
    const end = align(advance(longPageHeader, remaining));
    if (end > content.length) return;
    cursor.end = end;
    at = recordFrom(end);
  }

  function next(): boolean {
    for (let start = at; start !== undefined && start + 4 <= content.length; ) {
      const length = content.readUInt32LE(start);
      if (length < recordHeader) break;
      const broken = brokenAt(start, length);
      if (broken === undefined) break;
      if (broken >= 0) {
        start = recordFrom(broken);
        rejoining = true;
        continue;
      }
      const end = align(advance(start, length));
      if (end > content.length || !follows(start)) break;
      previous = start;
      rejoining = false;
      at = recordFrom(end);
      cursor.length = length;
      cursor.end = end;
      cursor.manager = content.readUInt8(payload(start, recordManager));
      cursor.info = content.readUInt8(payload(start, recordInfo)) & 0xf0;
      return true;
    }
    at = undefined;
    return false;
  }

  /** The first record of a segment names one of a segment before, which only can be earlier. */
  function follows(start: number): boolean {
    const offset = payload(start, recordPrevious);
    if (previous !== undefined && !rejoining) return isAddress(offset, previous);
    const high = content.readUInt32LE(offset + 4);
    return high < beginHigh || (high === beginHigh && content.readUInt32LE(offset) < beginLow + start);
  }

  /** Where a byte of a record is: never at a page's end, but after the next one's header. */
  function payload(start: number, bytes: number): number {
    const offset = advance(start, bytes);
    return bytes > 0 && offset % pageSize === 0 ? offset + shortPageHeader : offset;
  }

  function copy(into: Buffer): number {
    const wanted = Math.min(into.length, cursor.length);
    let offset = previous ?? 0;
    for (let copied = 0; copied < wanted; ) {
      const here = Math.min(wanted - copied, pageSize - (offset % pageSize));
      content.copy(into, copied, offset, offset + here);
      copied += here;
      offset += here + shortPageHeader;
    }
    return wanted;
  }
}
