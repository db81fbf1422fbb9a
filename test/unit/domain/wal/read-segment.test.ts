import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lastRecordBegin } from '../../../../src/domain/recovery/last-record.ts';
import {
  checkSegment,
  readSegment,
  readSegmentInPieces,
  scanInPieces,
} from '../../../../src/domain/wal/read-segment.ts';
import {
  commitRecord,
  otherRecord,
  restorePointRecord,
  switchRecord,
  testSystem,
  type WrittenRecord,
  writeSegment,
} from '../../../support/wal/segment.ts';

const name = '000000020000000300000ABC';
const begin = (3n << 32n) + 0xabcn * 2n ** 20n;
const now = Date.UTC(2026, 10, 21, 12) * 1000;

describe('the header', () => {
  test.each([
    [0xd106, 13],
    [0xd10d, 14],
    [0xd110, 15],
    [0xd113, 16],
    [0xd116, 17],
    [0xd118, 18],
  ])('with the magic %i is of PostgreSQL %i', (magic, major) => {
    const { content } = writeSegment({ name, magic, timeline: 1 });
    expect(checkSegment(content, name)).toEqual({
      systemIdentifier: String(testSystem),
      segmentSize: 1024 ** 2,
      pageSize: 8192,
      major,
      timeline: 1,
      begin,
    });
  });

  test.each([1, 2, 16, 64, 128])('with segments of %i MiB is read by its own size', (mebibytes) => {
    const segmentSize = mebibytes * 1024 ** 2;
    const segment = '000000010000000000000003';
    const { content } = writeSegment({ name: segment, segmentSize });
    expect(checkSegment(content, segment)).toMatchObject({ segmentSize, begin: BigInt(segmentSize) * 3n });
  });

  const whole = writeSegment({ name }).content;
  const cases: readonly (readonly [string, Buffer, string, string])[] = [
    ['nothing', Buffer.alloc(0), name, 'has 0 bytes'],
    ['zeros', Buffer.alloc(1024 ** 2), name, 'does not begin like WAL'],
    ['an unknown version', writeSegment({ name, magic: 0xd0ff }).content, name, '0xD0FF'],
    ['a recycled file', writeSegment({ name, begin: begin - 2n ** 20n }).content, name, 'another place'],
    ['another name', whole, '000000020000000300000ABD', 'another place'],
    ['an older timeline than the page', writeSegment({ name, timeline: 3 }).content, name, 'later than its name'],
    ['a file cut short', whole.subarray(0, 8192), name, 'has 8192 bytes, and its header says 1048576'],
    ['a file too long', Buffer.concat([whole, whole]), name, 'has 2097152 bytes'],
  ];
  test.each(cases)('is refused for %s', (_, content, segment, why) => {
    expect(() => checkSegment(content, segment)).toThrow(
      expect.objectContaining({ reason: 'InvalidWal', retryable: false }),
    );
    expect(() => checkSegment(content, segment)).toThrow(why);
  });

  test('of another server is refused with both identifiers', () => {
    expect(() => checkSegment(whole, name, { systemIdentifier: '1' })).toThrow(
      expect.objectContaining({ reason: 'ForeignWal', message: expect.stringContaining(String(testSystem)) }),
    );
    expect(() => checkSegment(whole, name, { systemIdentifier: String(testSystem) })).not.toThrow();
  });

  test('of a .partial file is a segment’s', () => {
    expect(checkSegment(whole, `${name}.partial`)).toMatchObject({ begin });
  });

  test('is not looked for in files that have none', () => {
    expect(() => readSegment(whole, '00000002.history')).toThrow(expect.objectContaining({ reason: 'NoWalFile' }));
    expect(() => readSegment(whole, `${name}.00000028.backup`)).toThrow(
      expect.objectContaining({ reason: 'NoWalFile' }),
    );
  });

  test('any bytes are read or refused, and never break the reader', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 300 }), fc.nat(1024 ** 2 - 300), (noise, at) => {
        const content = Buffer.from(whole);
        Buffer.from(noise).copy(content, at);
        try {
          readSegment(content, name);
        } catch (error) {
          expect(error).toMatchObject({ reason: 'InvalidWal' });
        }
      }),
      { numRuns: 200 },
    );
  });
});

const record = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 600 }).map(otherRecord) },
  { weight: 1, arbitrary: fc.integer({ min: 5000, max: 60_000 }).map(otherRecord) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.integer({ min: now - 10 ** 12, max: now }),
        fc.record({
          prepared: fc.boolean(),
          origin: fc.boolean(),
          toplevel: fc.boolean(),
          extra: fc.constantFrom(0, 40, 400),
        }),
      )
      .map(([time, options]) => ({ ...commitRecord(time, options), time })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: now - 10 ** 12, max: now }), fc.string({ minLength: 1, maxLength: 15 }))
      .map(([time, label]) => ({
        ...restorePointRecord(time, label.replaceAll('\0', '-')),
        label: label.replaceAll('\0', '-'),
      })),
  },
);

describe('the records', () => {
  test('of any kind and length, cut by pages anywhere, are all found', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 200 }), fc.integer({ min: 0, max: 30_000 }), (records, carried) => {
        const { content, ends } = writeSegment({ name, records, carried });
        const whole = records.slice(0, ends.length);
        const times = whole.flatMap((each) => ('time' in each ? [each.time] : []));
        const read = readSegment(content, name);
        expect(read.commits).toBe(times.length);
        expect(read.lastCommitMicroseconds).toBe(times.length === 0 ? undefined : Math.max(...times));
        expect(read.firstCommitTime?.getTime()).toBe(
          times.length === 0 ? undefined : Math.floor(Math.min(...times) / 1000),
        );
        const points = whole.flatMap((each, index) =>
          'label' in each ? [{ name: each.label, lsn: begin + BigInt(ends[index] ?? 0) }] : [],
        );
        expect(read.restorePoints.map(({ name: label, lsn }) => ({ name: label, lsn }))).toEqual(points);
        if (ends.length > 0) expect(read.endOfRecords).toBe(begin + BigInt(ends.at(-1) ?? 0));
      }),
      { numRuns: 150 },
    );
  });

  const commits = (count: number, from = now): readonly WrittenRecord[] =>
    Array.from({ length: count }, (_, index) => commitRecord(from + index * 1000));

  test('end where a switch is, and the segment with them', () => {
    const { content } = writeSegment({ name, records: [...commits(3), switchRecord] });
    expect(readSegment(content, name)).toMatchObject({ commits: 3, endOfRecords: begin + 2n ** 20n });
  });

  test('of a recycled file beyond the end are not read', () => {
    const old = writeSegment({ name: '000000020000000300000AB0', records: commits(2000, now + 10 ** 9) });
    const records = commits(3);
    const fresh = writeSegment({ name, records });
    const recycled = Buffer.concat([
      fresh.content.subarray(0, fresh.ends.at(-1)),
      old.content.subarray(fresh.ends.at(-1)),
    ]);
    expect(readSegment(recycled, name)).toMatchObject({ commits: 3, lastCommitMicroseconds: now + 2000 });
  });

  test('that began in the segment before and go on after it leave nothing to read', () => {
    const { content } = writeSegment({ name, carried: 2 * 1024 ** 2 });
    expect(readSegment(content, name)).toMatchObject({ commits: 0, lastCommitTime: undefined, endOfRecords: begin });
  });

  test('of a file that ends early are read up to there', () => {
    const { content, ends } = writeSegment({ name, records: commits(1000) });
    expect(readSegment(content.subarray(0, ends[499]), name)).toMatchObject({ commits: 500 });
  });
});

describe('a segment that comes in pieces', () => {
  const factsOf = async (content: Buffer, cuts: readonly number[]) => {
    async function* pieces() {
      const places = [0, ...cuts.map((cut) => cut % (content.length + 1)).toSorted((one, other) => one - other)];
      for (const [index, from] of places.entries()) yield content.subarray(from, places[index + 1] ?? content.length);
    }
    return readSegmentInPieces(pieces(), name);
  };
  const wholeOf = (content: Buffer) => {
    try {
      return readSegment(content, name);
    } catch (error) {
      return String(error);
    }
  };
  const expectSame = async (content: Buffer, cuts: readonly number[]) => {
    const found = await factsOf(content, cuts).catch(String);
    const whole = wholeOf(content);
    if (typeof found === 'string' || typeof whole === 'string') return expect(found).toBe(whole);
    const { lastRecord, ...facts } = found;
    expect(facts).toEqual(whole);
    expect(lastRecord).toBe(lastRecordBegin(content, whole.begin, whole.pageSize));
  };
  const cuts = fc.array(fc.nat(2 ** 20), { maxLength: 12 });

  test('says what the whole of it says, wherever it is cut and wherever it ends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 120 }),
        fc.integer({ min: 0, max: 30_000 }),
        fc.boolean(),
        fc.integer({ min: 40, max: 2 ** 20 }),
        cuts,
        async (records, carried, isSwitched, length, places) => {
          const all = isSwitched ? [...records, switchRecord] : records;
          const { content } = writeSegment({ name, records: all, carried });
          await expectSame(content, places);
          await expectSame(content.subarray(0, length), places);
        },
      ),
      { numRuns: 80 },
    );
  });

  test('also where something else was written over it', async () => {
    const records = Array.from({ length: 900 }, (_, index) => commitRecord(now + index, { extra: index % 300 }));
    const { content } = writeSegment({ name, records });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(400_000), fc.uint8Array({ minLength: 1, maxLength: 40 })), { maxLength: 6 }),
        // The flags of a page: goes on, long, given up.
        fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.nat(15)), { maxLength: 4 }),
        cuts,
        async (noise, flags, places) => {
          const spoilt = Buffer.from(content);
          for (const [at, bytes] of noise) Buffer.from(bytes).copy(spoilt, 40 + at);
          for (const [page, flag] of flags) spoilt.writeUInt16LE(flag, page * 8192 + 2);
          await expectSame(spoilt, places);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('whose second page is none of its own is refused, wherever it is cut', async () => {
    const { content } = writeSegment({ name, records: Array.from({ length: 900 }, () => commitRecord(now)) });
    content.writeUInt8(0, 8192);
    for (const place of [100, 8192, 8193, 16_383, 16_400, 2 ** 20])
      await expect(factsOf(content, [place])).rejects.toThrow('has pages that do not go with its header');
    await expectSame(content, [100]);
  });

  test('is asked on its way without being disturbed', () => {
    const records = Array.from({ length: 50 }, (_, index) => commitRecord(now + index * 1000));
    const { content } = writeSegment({ name, records });
    const scanning = scanInPieces(name);
    const seen: number[] = [];
    for (let at = 0; at < 8192; at += 500) {
      scanning.push(content.subarray(at, Math.min(at + 500, 8192)));
      seen.push(scanning.facts().commits);
    }
    expect(seen).toEqual(seen.toSorted((one, other) => one - other));
    scanning.push(content.subarray(8192));
    const { lastRecord: _, ...facts } = scanning.facts();
    expect(facts).toEqual(readSegment(content, name));
  });
});
