import { createTarCutter, readOwner } from '../../../../src/agent/physical/cut-tar.ts';
import { createFrameWalker } from '../../../../src/agent/physical/walk-frames.ts';
import { parseControlFile } from '../../../../src/agent/recover/run/control-file.ts';
import { assembleSegments } from '../../../../src/agent/watch-wal/stream/assemble.ts';
import { decodeFrame } from '../../../../src/agent/watch-wal/stream/frames.ts';
import { lastRecordBegin } from '../../../../src/domain/recovery/last-record.ts';
import { parseWalFileName, segmentName } from '../../../../src/domain/wal/file-name.ts';
import { formatLsn, parseLsn } from '../../../../src/domain/wal/lsn.ts';
import { checkSegment, readSegment } from '../../../../src/domain/wal/read-segment.ts';
import { parseTimelineHistory } from '../../../../src/domain/wal/timeline-history.ts';
import { indexOf } from '../../../../src/repository/wal-index.ts';
import { contentSize } from '../../../../src/repository/zstd-header.ts';
import { packedWith } from '../../../../src/stream/packed-with.ts';
import { corpus, refuse, type Target } from '../target.ts';

/** The corpus has the beginnings of segments; a file has all of it. */
const segmentSize = 2 ** 24;
const segment = Buffer.alloc(segmentSize);

/** Of whom and of where it is: the magic number, the address, the system identifier, the sizes. */
const identity = [
  [0, 2],
  [8, 16],
  [24, 40],
] as const;

const heads = corpus('wal').map((head) => ({ head, begin: head.readBigUInt64LE(8) }));

function nameOf(original: Buffer): string {
  const begin = original.readBigUInt64LE(8);
  const size = BigInt(segmentSize);
  const number = { log: Number(begin >> 32n), segment: Number((begin & 0xffffffffn) / size) };
  return segmentName(original.readUInt32LE(4), number);
}

export const walTargets: readonly Target[] = [
  {
    name: 'WAL header',
    covers: ['checkSegment', 'parseWalFileName'],
    share: 8,
    corpus: heads.map(({ head }) => head),
    mutates: 'bytes',
    run(input, original) {
      const name = nameOf(original);
      const systemIdentifier = String(original.readBigUInt64LE(24));
      const changed = identity.some(([from, to]) => !input.subarray(from, to).equals(original.subarray(from, to)));
      // What is cut short or grows is no file of the size that the header says.
      if (input.length !== original.length) return checkSegment(input, name, { systemIdentifier, segmentSize });
      original.copy(segment);
      input.copy(segment);
      const header = checkSegment(segment, name, { systemIdentifier, segmentSize });
      refuse(changed, `the header of ${name} was changed in what identifies it, and taken`);
      refuse(header.timeline > original.readUInt32LE(4) || header.timeline === 0, 'a timeline that cannot be');
      return header;
    },
  },
  {
    name: 'WAL records',
    covers: ['readSegment', 'walkRecords', 'recordCursor', 'lastRecordBegin', 'indexOf'],
    share: 6,
    corpus: heads.map(({ head }) => head),
    mutates: 'bytes',
    run(input, original) {
      const name = nameOf(original);
      // Beyond the header: that is the other target's.
      const content = Buffer.concat([original.subarray(0, 40), input.subarray(40)]);
      const facts = readSegment(content, name);
      for (const time of [facts.firstCommitTime, facts.lastCommitTime, ...facts.restorePoints.map((each) => each.time)])
        refuse(time !== undefined && Number.isNaN(time.getTime()), 'a time that is none');
      refuse(facts.endOfRecords > facts.begin + BigInt(content.length), 'records beyond the end');
      lastRecordBegin(content, facts.begin, facts.pageSize);
      return indexOf(name, content, { scheme: 'age', recipients: [] });
    },
  },
  {
    name: 'WAL file name',
    covers: ['parseWalFileName'],
    share: 4,
    corpus: ['000000010000000000000001', '00000002.history', '000000010000000000000002.00000028.backup'].map((name) =>
      Buffer.from(name),
    ),
    mutates: 'bytes',
    run(input) {
      const name = input.toString('latin1');
      refuse(parseWalFileName(name) !== undefined && !/^[0-9A-F]{8}[0-9A-Fa-z.]*$/.test(name), JSON.stringify(name));
    },
  },
  {
    name: 'history file',
    covers: ['parseTimelineHistory', 'parseLsn'],
    share: 6,
    corpus: corpus('history'),
    mutates: 'bytes',
    run(input) {
      let last = 0;
      for (const { timeline, end } of parseTimelineHistory(input.toString('utf8'))) {
        refuse(!(timeline > last && timeline <= 0xffffffff), 'timelines that no server would follow');
        refuse(end < 0n || end > 0xffffffffffffffffn, 'an LSN that is none');
        last = timeline;
      }
    },
  },
  {
    name: 'LSN',
    covers: ['parseLsn'],
    share: 3,
    corpus: ['0/15D68C8', 'FFFFFFFF/FFFFFFFF', '1A/0'].map((text) => Buffer.from(text)),
    mutates: 'bytes',
    run(input) {
      const text = input.toString('utf8');
      const [high = '', low = ''] = formatLsn(parseLsn(text)).split('/');
      refuse(`${high.padStart(8, '0')}${low.padStart(8, '0')}` !== normal(text), `${text} read as ${high}/${low}`);
    },
  },
  {
    name: 'streamed WAL',
    covers: ['decodeFrame', 'assembleSegments'],
    share: 4,
    corpus: corpus('frames'),
    mutates: 'bytes',
    run(input, original) {
      const frame = decodeFrame(input);
      if (frame.kind !== 'Wal') return;
      const assembly = assembleSegments(0n, 2 ** 20);
      assembly.add(0n, Buffer.alloc(100));
      refuse(frame.start !== 100n && assembly.add(frame.start, frame.data) !== undefined, 'WAL of another place');
      return original;
    },
  },
  {
    name: 'tar of a base backup',
    covers: ['createTarCutter', 'readOwner'],
    share: 5,
    corpus: corpus('tar'),
    mutates: 'bytes',
    run(input) {
      const cutter = createTarCutter(64 * 1024);
      let given = 0;
      for (let at = 0; at < input.length; at += 1000)
        for (const piece of cutter.push(input.subarray(at, at + 1000))) given += piece === 'Cut' ? 0 : piece.length;
      refuse(given > input.length, 'more came out than went in');
      cutter.end();
      return readOwner(input.subarray(0, 512));
    },
  },
  {
    name: 'zstd frames',
    covers: ['createFrameWalker', 'contentSize', 'packedWith'],
    share: 5,
    corpus: corpus('packed'),
    mutates: 'bytes',
    run(input) {
      contentSize(input);
      packedWith(input);
      const walker = createFrameWalker();
      for (let at = 0; at < input.length; at += 100) walker.push(input.subarray(at, at + 100));
      return walker.isWhole();
    },
  },
  {
    name: 'control file',
    covers: ['parseControlFile'],
    share: 3,
    corpus: corpus('control'),
    mutates: 'bytes',
    run: (input) => parseControlFile(input),
  },
];

/** Sixteen hexadecimal digits of what an LSN's text says. */
function normal(text: string): string {
  return text
    .split('/')
    .map((part) =>
      part
        .toUpperCase()
        .replace(/^0+(?=.)/, '')
        .padStart(8, '0'),
    )
    .join('');
}
