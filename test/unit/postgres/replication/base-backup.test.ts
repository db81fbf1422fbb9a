import { expect, it } from 'vitest';
import { type BackupEvent, baseBackupCommand, decodeBackup } from '../../../../src/postgres/replication/base-backup.ts';
import type { CopyEvent } from '../../../../src/postgres/replication/copy-out.ts';

const tar = Buffer.from('tar of the data directory');
const spaceTar = Buffer.from('tar of the tablespace');
const list = Buffer.from('{"PostgreSQL-Backup-Manifest-Version": 1}');
const startRows: CopyEvent = { kind: 'Rows', rows: [{ recptr: '0/2000028', tli: '1' }] };
const sourceRows: CopyEvent = {
  kind: 'Rows',
  rows: [
    { spcoid: '16385', spclocation: '/mnt/fast', size: '12' },
    { spcoid: null, spclocation: null, size: '2000' },
  ],
};
const endRows: CopyEvent = { kind: 'Rows', rows: [{ recptr: '0/2000138', tli: '1' }] };
const begin: CopyEvent = { kind: 'Begin' };
const end: CopyEvent = { kind: 'End' };
const whole = (bytes: Buffer): CopyEvent => ({ kind: 'Part', bytes, first: true, last: true });
const typed = (letter: string, content: Buffer | string) => Buffer.concat([Buffer.from(letter), Buffer.from(content)]);

const expected: readonly BackupEvent[] = [
  { kind: 'Start', lsn: 0x2000028n, timeline: 1 },
  {
    kind: 'Sources',
    sources: [{ oid: '16385', location: '/mnt/fast', size: 12_288 }, { size: 2_048_000 }],
  },
  { kind: 'Archive', oid: '16385' },
  { kind: 'Data', data: spaceTar },
  { kind: 'Archive', oid: undefined },
  { kind: 'Data', data: tar },
  { kind: 'Manifest' },
  { kind: 'Data', data: list },
  { kind: 'End', lsn: 0x2000138n, timeline: 1 },
];

/** One copy for each tablespace, the data directory last, then the manifest. */
const untyped: readonly CopyEvent[] = [
  startRows,
  sourceRows,
  begin,
  whole(spaceTar),
  end,
  begin,
  whole(tar),
  end,
  begin,
  whole(list),
  end,
  endRows,
];

const typedMessages: readonly Buffer[] = [
  typed('n', '16385.tar\0/mnt/fast\0'),
  typed('d', spaceTar),
  typed('n', 'base.tar\0\0'),
  typed('d', tar),
  typed('m', ''),
  typed('d', list),
];

async function decode(events: readonly CopyEvent[], major: number): Promise<readonly BackupEvent[]> {
  const decoded: BackupEvent[] = [];
  async function* source() {
    yield* events;
  }
  for await (const event of decodeBackup(source(), major)) decoded.push(event);
  return decoded;
}

it.each([13, 14])('PostgreSQL %i sends a copy for each tar, and one for the manifest', async (major) => {
  expect(await decode(untyped, major)).toEqual(expected);
});

it.each([15, 16, 17, 18])('PostgreSQL %i sends one copy of typed messages', async (major) => {
  const events = [startRows, sourceRows, begin, ...typedMessages.map(whole), end, endRows];
  expect(await decode(events, major)).toEqual(expected);
});

it('a typed message may come in any number of parts', async () => {
  const parts = typedMessages.flatMap((message) =>
    [...message].map((byte, index): CopyEvent => {
      const last = index === message.length - 1;
      return { kind: 'Part', bytes: Buffer.of(byte), first: index === 0, last };
    }),
  );
  const decoded = await decode([startRows, sourceRows, begin, ...parts, end, endRows], 15);
  const data = decoded.flatMap((event) => (event.kind === 'Data' ? [event.data] : []));
  expect(Buffer.concat(data)).toEqual(Buffer.concat([spaceTar, tar, list]));
  expect(decoded.filter(({ kind }) => kind !== 'Data')).toEqual(expected.filter(({ kind }) => kind !== 'Data'));
});

it('progress and warnings are told where they come', async () => {
  const progress = Buffer.alloc(9);
  progress[0] = 0x70;
  progress.writeBigUInt64BE(5_000_000_000n, 1);
  const warning: CopyEvent = { kind: 'Notice', text: 'checksum verification failed' };
  const decoded = await decode([startRows, sourceRows, begin, whole(progress), warning, end, endRows], 17);
  expect(decoded.slice(2, 4)).toEqual([
    { kind: 'Progress', bytes: 5_000_000_000 },
    { kind: 'Warning', text: 'checksum verification failed' },
  ]);
});

it('what ends without an end position is no backup', async () => {
  await expect(decode([startRows, sourceRows, begin, end], 15)).rejects.toThrow(RangeError);
});

it('the command has the options of its version', () => {
  const options = { label: "it's", checkpoint: 'Fast', maxRate: 2048, wal: true } as const;
  expect(baseBackupCommand(options, 14)).toBe(
    "BASE_BACKUP LABEL 'it''s' PROGRESS FAST WAL NOWAIT MAX_RATE 2048 TABLESPACE_MAP MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'",
  );
  expect(baseBackupCommand({ ...options, checkpoint: 'Spread', wal: false }, 15)).toBe(
    "BASE_BACKUP (LABEL 'it''s', PROGRESS, CHECKPOINT 'spread', WAIT 0, MAX_RATE 2048, TABLESPACE_MAP, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C')",
  );
});

it('a server packs with so many threads, or in its own process', () => {
  const options = { label: 'nightly', checkpoint: 'Fast', wal: false } as const;
  expect(baseBackupCommand({ ...options, zstd: { level: 3, workers: 2 } }, 15)).toContain(
    ", COMPRESSION 'zstd', COMPRESSION_DETAIL 'level=3,workers=2')",
  );
  expect(baseBackupCommand({ ...options, zstd: { level: 19 } }, 18)).toContain("COMPRESSION_DETAIL 'level=19')");
  expect(baseBackupCommand(options, 17)).not.toContain('INCREMENTAL');
  expect(baseBackupCommand({ ...options, incremental: true }, 17)).toMatch(/, INCREMENTAL\)$/);
});

it('a packed tar is known by the name of what is in it', async () => {
  const messages = [typed('n', '16385.tar.zst\0/mnt/fast\0'), typed('n', 'base.tar.zst\0\0')].map(whole);
  const decoded = await decode([startRows, sourceRows, begin, ...messages, end, endRows], 17);
  expect(decoded.slice(2, 4)).toEqual([
    { kind: 'Archive', oid: '16385' },
    { kind: 'Archive', oid: undefined },
  ]);
  const other = [startRows, sourceRows, begin, whole(typed('n', 'base.tar.gz\0\0')), end, endRows];
  await expect(decode(other, 17)).rejects.toThrow(RangeError);
});
