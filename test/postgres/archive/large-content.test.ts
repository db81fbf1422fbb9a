import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Encryption } from '../../../src/domain/encryption.ts';
import type { Identity } from '../../../src/repository/identity.ts';
import { exactly, type LargeWal } from '../../../src/repository/large-wal.ts';
import { volumeStore } from '../../../src/repository/volume.ts';
import { openWalArchive } from '../../../src/repository/wal-archive.ts';
import { commitRecord, otherRecord, writeSegment } from '../../support/wal/segment.ts';
import { generateKeys } from '../encryption/setting.ts';

/** What is not held whole takes another way than what is; both must lead to the same place. */
const name = '000000010000000000000003';
const now = Date.UTC(2026, 10, 21) * 1000;
const records = Array.from({ length: 60 }, (_, index) =>
  index % 3 === 0 ? commitRecord(now + index * 1000) : otherRecord(index * 50),
);
const { content } = writeSegment({ name, timeline: 1, records });
const large = (bytes: Buffer): LargeWal => ({
  async *read() {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  },
});
const options = { signal: AbortSignal.timeout(300_000) };
let folder: string;
let identity: Identity;
let encryption: Encryption;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-large-'));
  const keys = await generateKeys();
  const file = join(folder, 'identity.txt');
  await writeFile(file, keys.identity);
  identity = { scheme: 'age', file, described: 'the key', repository: 'of the test' };
  encryption = { scheme: 'age', recipients: [keys.recipient] };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ways = (['zstd', 'gzip', 'lz4', 'none'] as const).flatMap((algorithm) => [
  { algorithm, encrypted: false },
  { algorithm, encrypted: true },
]);

describe.each(ways)('a file of WAL that is too large for the memory, with $algorithm, encrypted: $encrypted', (way) => {
  const open = () => {
    const store = volumeStore({ mount: folder, claimName: 'c', path: `${way.algorithm}-${way.encrypted}` });
    const compression = { algorithm: way.algorithm };
    const location = { namespace: 'shop', policy: 'orders', systemIdentifier: '1' };
    return openWalArchive(store, location, {
      compression,
      identity,
      encryption: way.encrypted ? encryption : undefined,
    });
  };

  test('is what it would be otherwise', async () => {
    const archive = open();
    expect(await archive.put(name, large(content), options)).toBe('Stored');
    expect((await archive.get(name, options))?.equals(content)).toBe(true);
    expect(Buffer.concat(await Array.fromAsync(archive.read(name, options))).equals(content)).toBe(true);
    for (const same of [content, large(content)]) expect(await archive.put(name, same, options)).toBe('AlreadyThere');
    const other = Buffer.from(content);
    other.writeUInt8(other.readUInt8(500) ^ 1, 500);
    for (const wrong of [other, large(other), large(content.subarray(0, 5000)), large(Buffer.concat([content, other]))])
      await expect(archive.put(name, wrong, options)).rejects.toMatchObject({ reason: 'WalConflict' });
    const times = await archive.commitTimes(name, { ...options, segmentSize: 2 ** 30 });
    expect(times).toMatchObject({ firstCommitTime: new Date(now / 1000), lastCommitTime: new Date(now / 1000 + 57) });
    expect(await archive.readInto(name, async () => 'taken', options)).toBe('taken');
    expect(await archive.readInto('000000010000000000000009', Array.fromAsync<Buffer>, options)).toBeUndefined();
    await archive.store.close();
  });

  test('that is cut short on its way is not there, nor what a killed writer has left of it', async () => {
    const archive = open();
    const next = '000000010000000000000004';
    const cut: LargeWal = { read: () => exactly(large(content.subarray(0, 300_000)).read(), content.length, next) };
    await expect(archive.put(next, cut, options)).rejects.toMatchObject({ reason: 'FileChanged' });
    expect(await archive.has(next, options)).toBe(false);
    const third = '000000010000000000000005';
    const { key } = archive.keysOf(third);
    await archive.store.put(key, Buffer.alloc(0), { ...options, ifAbsent: true });
    expect(await archive.put(third, large(content), options)).toBe('AlreadyThere');
    expect((await archive.get(third, options))?.equals(content)).toBe(true);
    expect(dirname(key)).toContain('/wal/00000001');
    await archive.store.close();
  });
});
