import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seal } from '../../../src/repository/seal.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { databases, stateOf } from '../restore/state.ts';
import { createWorld, storedFiles, type World } from '../restore/world.ts';

let server: TestServer;
let world: World;
let before: string;
beforeAll(async () => {
  server = await startPostgres();
  world = await createWorld(server);
  await server.psql('create database shop');
  await server.psql(
    "create table orders as select n as id, sha256(n::text::bytea) as digest, repeat('x', 30) as note from generate_series(1, 20000) n",
    'shop',
  );
  before = await stateOf(server, 'shop');
});
afterAll(async () => {
  await world?.remove();
  await server?.stop();
});

const suffixes = { gzip: '.gz', lz4: '.lz4' } as const;
const algorithms = ['gzip', 'lz4'] as const;
const asked = { databases: [{ name: 'shop', targetName: 'again', onConflict: 'Replace' }] };

/** The stored file of the dump, and the backup's manifest. */
async function partsOf(backup: string): Promise<{ readonly dump: string; readonly manifest: string }> {
  const files = await storedFiles(world, backup);
  const find = (part: string) => files.find((path) => path.includes(part)) ?? '';
  return { dump: find('/dump.'), manifest: find('/manifest.json') };
}

describe.each(algorithms)('%s', (algorithm) => {
  test.each([{ format: 'Plain' }, { format: 'Custom' }, { format: 'Directory', jobs: 2 }, { format: 'Tar' }])(
    'packs every object of a backup in format $format, which its own tool checks, and which comes back',
    async (dump) => {
      const backup = await world.backUp({ logical: dump, compression: { algorithm, level: 5 } });
      const objects = (await storedFiles(world, backup)).filter((path) => !path.endsWith('.json'));
      expect(objects.length).toBeGreaterThan(2);
      for (const path of objects) {
        expect(path.endsWith(suffixes[algorithm]), path).toBe(true);
        await execa(algorithm, ['-t', path]);
        // For a person without that tool.
        await execa('zstd', ['-q', '-t', path]);
      }
      const { manifest } = await partsOf(backup);
      expect(JSON.parse(await readFile(manifest, 'utf8')).compression).toEqual({ algorithm, level: 5 });
      const { error } = await world.restore(backup, asked);
      expect(error).toBeUndefined();
      expect(await stateOf(server, 'again')).toBe(before);
    },
  );

  describe('a dump that is not as it was packed', () => {
    let backup: string;
    let whole: Buffer;
    beforeAll(async () => {
      backup = await world.backUp({ logical: { format: 'Custom' }, compression: { algorithm } });
      whole = await readFile((await partsOf(backup)).dump);
    });
    const damaged = () => {
      const bytes = Buffer.from(whole);
      bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
      return bytes;
    };

    test.each<[string, () => Buffer]>([
      ['damaged', damaged],
      ['cut short', () => whole.subarray(0, -1)],
      ['followed by something', () => Buffer.concat([whole, Buffer.from('and more')])],
    ])('%s: is refused by its digest, and where the digest is of that, by its packing', async (_, change) => {
      const { dump, manifest } = await partsOf(backup);
      const bytes = change();
      const said = await readFile(manifest, 'utf8');
      const digestOf = (content: Buffer) => createHash('sha256').update(content).digest('hex');
      // By somebody who seals it anew as well.
      const unsealed = said.replace(/,\n {2}"seal": "[^"]*"\n\}\n$/, '\n}\n');
      const changed = unsealed
        .replace(digestOf(whole), digestOf(bytes))
        .replace(new RegExp(`("size": ?)${whole.length}\\b`), `$1${bytes.length}`);
      expect(changed).not.toBe(unsealed);
      const fitting = seal(changed);
      try {
        await writeFile(dump, bytes);
        const refused = await world.restore(backup, { databases: [{ name: 'shop', targetName: 'never' }] });
        expect(refused.error).toMatchObject({ reason: 'CorruptedBackup' });
        await writeFile(manifest, fitting);
        const unpacked = await world.restore(backup, { databases: [{ name: 'shop', targetName: 'never' }] });
        expect(unpacked.error?.reason, unpacked.error?.message).toBe('CorruptedBackup');
        expect(unpacked.error?.message).toContain('cannot be unpacked');
        expect(await databases(server)).not.toContain('never');
      } finally {
        await writeFile(dump, whole);
        await writeFile(manifest, said);
      }
    });
  });
});
