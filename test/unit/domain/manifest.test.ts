import { expect, it } from 'vitest';
import { baseBytes, baseObjects, manifest } from '../../../src/domain/manifest.ts';

const object = (path: string) => ({ path, size: 5, sha256: `sha256:${'a'.repeat(64)}` });
const chunk = { ...object('base/0001.tar.zst'), bytes: 40 };
const stream = { bytes: 70, parts: [object('base/data.tar.zst.000001'), object('base/data.tar.zst.000002')] };

const physical = (format: number, more: object) => ({
  format,
  backupID: '20261121T030000Z-physical-full',
  method: 'Physical',
  type: 'Full',
  namespace: 'shop',
  policy: 'orders',
  run: 'orders-manual',
  startTime: '2026-11-21T03:00:00Z',
  completionTime: '2026-11-21T03:05:00Z',
  server: { version: '15.14', systemIdentifier: '7338127462518927391', timeline: 1, role: 'Primary' },
  compression: { algorithm: 'zstd' },
  size: { source: 1, stored: 1 },
  physical: {
    chunks: [],
    tablespaces: [],
    backupManifest: object('base/backup_manifest.zst'),
    walMethod: 'Fetch',
    wal: [],
    beginLSN: '0/2000028',
    endLSN: '0/2000138',
    beginSegment: '000000010000000000000002',
    endSegment: '000000010000000000000002',
    timeline: 1,
    segmentSize: 16_777_216,
    dataDirectory: '/var/lib/postgresql/data',
    owner: { uid: 70, gid: 70 },
    dataChecksums: false,
    checksumFailures: 0,
    settings: {},
    ...more,
  },
});

it('chunks are format 1, packed streams are format 2, and none is taken for the other', () => {
  const accepted = (format: number, more: object) => manifest.safeParse(physical(format, more)).success;
  expect(accepted(1, { chunks: [chunk] })).toBe(true);
  expect(accepted(2, { streams: [stream] })).toBe(true);
  expect(accepted(1, { streams: [stream] })).toBe(false);
  expect(accepted(1, { chunks: [chunk], streams: [stream] })).toBe(false);
  expect(accepted(2, { chunks: [chunk] })).toBe(false);
  expect(accepted(2, { chunks: [chunk], streams: [stream] })).toBe(false);
  expect(accepted(1, {})).toBe(false);
  expect(accepted(3, { streams: [stream] })).toBe(false);
});

it('the objects of a base backup are its chunks, or the parts of its streams', () => {
  const objectsOf = (format: number, more: object) => {
    const parsed = manifest.parse(physical(format, more));
    if (parsed.method !== 'Physical') throw new Error('another method');
    return [baseObjects(parsed.physical).map(({ path }) => path), baseBytes(parsed.physical)];
  };
  expect(objectsOf(1, { chunks: [chunk] })).toEqual([['base/0001.tar.zst'], 40]);
  expect(objectsOf(2, { streams: [stream] })).toEqual([['base/data.tar.zst.000001', 'base/data.tar.zst.000002'], 70]);
});

it('an increment is format 3 and names its parent, and nothing else does', () => {
  const accepted = (more: object, format = 3) =>
    manifest.safeParse({ ...physical(format, { chunks: [chunk] }), ...more }).success;
  const parent = { parentBackupID: '20261120T030000Z-physical-full', parentChecksum: `sha256:${'b'.repeat(64)}` };
  expect(accepted({ type: 'Incremental', ...parent })).toBe(true);
  expect(accepted({ type: 'Differential', ...parent })).toBe(true);
  expect(accepted({ type: 'Full', ...parent })).toBe(false);
  expect(accepted({ type: 'Incremental' })).toBe(false);
  expect(accepted({ type: 'Incremental', ...parent, parentChecksum: undefined })).toBe(false);
  expect(accepted({ type: 'Incremental', ...parent }, 1)).toBe(false);
  expect(accepted(parent, 1)).toBe(false);
});
