import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readStandbyCredentials } from '../../../src/agent/recover/run/leave-standby.ts';
import { readMarker } from '../../../src/agent/recover/run/marker.ts';
import { readArchive } from '../../../src/agent/restore/read-archive.ts';
import { createTarReader } from '../../../src/agent/restore/read-tar.ts';
import { createScriptReader } from '../../../src/agent/restore/script/read-script.ts';
import { StrangeTar, unpackTar } from '../../../src/agent/restore/unpack-tar.ts';
import { readAccess } from '../../../src/postgres/access.ts';
import { libpqEnvironment, writeLibpqFiles } from '../../../src/postgres/tools.ts';
import { readAzureAccess } from '../../../src/repository/azure-credentials.ts';
import { readServiceAccount } from '../../../src/repository/gcs-credentials.ts';
import { unpack } from '../../../src/repository/wal-packing.ts';
import { verified } from '../../../src/stream/digest.ts';
import { extractTar, NotATar } from '../../../src/stream/extract-tar.ts';
import { bounded } from '../../support/faults.ts';
import { mutateBytes } from './mutate.ts';
import { seeded } from './random.ts';
import { corpus, isOurs } from './target.ts';
import { pieces } from './targets/dumps.ts';

// Thousands of inputs beside other work: minutes.
vi.setConfig({ testTimeout: bounded(300_000, 7_200_000) });
const { signal } = new AbortController();
const some = bounded(150, 4000);
let root: string;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-fuzz-'));
});
afterAll(async () => {
  process.stdout.write(`fuzz: ${count} mutated files\n`);
  await rm(root, { recursive: true, force: true });
});

/** Gives every mutated file of the corpus to `read`; what it throws must be of ours, or of `also`. */
async function each(
  name: string,
  originals: readonly Buffer[],
  read: (input: Buffer, original: Buffer, number: number) => Promise<unknown>,
  also: (error: unknown) => boolean = () => false,
): Promise<void> {
  for (let number = 0; number < some; number += 1) {
    const random = seeded('files', name, number);
    const original = originals[random.below(originals.length)] ?? Buffer.alloc(0);
    const input = mutateBytes(random, original, originals);
    count += 1;
    try {
      await read(input, original, number);
    } catch (error) {
      if (isOurs(error) || also(error)) continue;
      throw new Error(`${name}, input ${number}: ${String(error)}\n${input.toString('base64').slice(0, 2000)}`, {
        cause: error,
      });
    }
  }
}

const ofFiles = (error: unknown) => error instanceof Error && 'syscall' in error;

describe('a tar', () => {
  /** Beside the folder that is laid; nothing may come into it. */
  const outside = async () => (await readdir(root)).filter((name) => !name.startsWith('folder-'));

  test('that was changed lays nothing outside of its folder', async () => {
    const before = await outside();
    await each(
      'extractTar',
      corpus('tar'),
      async (input, _, number) => {
        const folder = join(root, `folder-${number}`);
        await mkdir(folder);
        try {
          await extractTar(pieces(input), { folder, compression: { algorithm: 'none' }, signal });
        } finally {
          const entries = await readdir(folder, { recursive: true, withFileTypes: true });
          for (const entry of entries)
            expect(entry.isFile() || entry.isDirectory() || entry.isSymbolicLink()).toBe(true);
          await rm(folder, { recursive: true, force: true });
        }
      },
      (error) => error instanceof NotATar || ofFiles(error),
    );
    expect(await outside()).toEqual(before);
  });

  const headers = [
    ...[
      '../x',
      '/tmp/x',
      'a/../../x',
      './../x',
      '..',
      'a/..',
      '\\..\\x',
      'x'.repeat(5000),
      'a//../..//x',
      '....//x',
    ].map((name) => ({ name, type: 'file' }) as const),
    ...(['link', 'character-device', 'block-device', 'fifo', 'contiguous-file'] as const).map((type) => ({
      name: 'x',
      type,
      linkname: '/etc/passwd',
    })),
  ] as const;

  test.each(headers)('with $name as $type leads nowhere', async (header) => {
    const folder = await mkdtemp(join(root, 'folder-'));
    const archive = pack();
    // Where a link of the archive itself would lead there.
    archive.entry({ name: 'up', type: 'symlink', linkname: '..' });
    archive.entry(header as never, header.type === 'file' ? 'x' : '');
    archive.entry({ name: 'up/x' }, 'escaped');
    archive.finalize();
    const before = await outside();
    await expect(
      extractTar(archive as AsyncIterable<Buffer>, { folder, compression: { algorithm: 'none' }, signal }),
    ).rejects.toThrow();
    expect(await outside()).toEqual(before);
    expect(await readlink(join(folder, 'up'))).toBe('..');
    for (const name of await readdir(folder)) expect(['up', '....', '\\..\\x']).toContain(name);
  });

  test('of a Directory dump that was changed gives plain files alone', async () => {
    await each(
      'unpackTar',
      corpus('tar'),
      async (input, _, number) => {
        const folder = join(root, `folder-dump-${number}`);
        await mkdir(folder);
        try {
          await unpackTar(pieces(input), folder, signal);
        } finally {
          const entries = await readdir(folder, { withFileTypes: true });
          expect(entries.every((entry) => entry.isFile())).toBe(true);
          await rm(folder, { recursive: true, force: true });
        }
      },
      // What tar-stream and node:stream say of a tar that ends early; fetch-archive.ts makes a CorruptedBackup of it.
      (error) =>
        error instanceof StrangeTar ||
        ofFiles(error) ||
        (error instanceof Error && /Invalid tar header|Unexpected end|Premature close/.test(error.message)),
    );
  });
});

test('a dump that was changed is read or refused', async () => {
  const path = join(root, 'dump');
  const archives = corpus('archives', 'archive-files');
  await each('readArchive', archives, async (input, original) => {
    await writeFile(path, input);
    if (original.subarray(0, 5).toString() === 'PGDMP') {
      await readArchive({ path, format: 'Custom' }, 'shop');
      return;
    }
    const [lying, passing] = await Promise.allSettled([
      readArchive({ path, format: 'Tar' }, 'shop'),
      readPassing(input),
    ]);
    expect(passing).toEqual(lying);
    if (lying.status === 'rejected') throw lying.reason;
  });
});

async function readPassing(tar: Buffer) {
  const reader = createTarReader('shop');
  for await (const piece of pieces(tar)) reader.push(piece);
  return reader.end();
}

test('a script that was changed is read or refused, and never has a command for psql in it', async () => {
  await each('createScriptReader', corpus('scripts'), async (input) => {
    const reader = createScriptReader('shop');
    for (let at = 0; at < input.length; at += 1000) reader.push(input.subarray(at, at + 1000));
    const { marks } = reader.end();
    for (const { kind, start, end } of marks)
      if (kind === 'Command')
        expect(input.subarray(start, end).toString('latin1')).toMatch(/^\\(connect |(un)?restrict )/);
  });
});

test('the marker of a recovery that was changed is never taken for another state', async () => {
  const path = join(root, 'marker');
  await each('readMarker', corpus('marker-files'), async (input) => {
    await writeFile(path, input);
    expect(['SettingAside', 'Laying', 'PuttingBack']).toContain((await readMarker(path))?.state);
  });
});

test('Secrets that were changed give access or words', async () => {
  const account = {
    type: 'service_account',
    client_email: 'a@b',
    private_key: '-----BEGIN PRIVATE KEY-----\nx',
    token_uri: 'https://t.example',
  };
  const connection = 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net';
  const folder = join(root, 'secret');
  await mkdir(folder);
  const write = async (bytes: Buffer) => {
    for (const key of ['service-account.json', 'AZURE_STORAGE_CONNECTION_STRING', 'username', 'password'])
      await writeFile(join(folder, key), bytes);
  };
  const originals = [JSON.stringify(account), connection, 'tidemark', 'p:a\\ss'].map((text) => Buffer.from(text));
  const server = { hosts: ['db'], port: 5432, database: 'd', role: 'Primary', credentialsSecretName: 's' } as const;
  const roots = { credentials: folder, serverCa: folder, clientCertificate: folder, systemCa: folder };
  for (const read of [
    () => readServiceAccount(folder, 's'),
    () => readAzureAccess(folder, 's', undefined),
    () =>
      readStandbyCredentials(
        { namespace: 'n', standbyOf: { host: 'h', port: 1, credentialsSecretName: 's' } } as never,
        folder,
      ),
    async () => {
      const access = await readAccess(server as never, 'n', roots);
      const files = await writeLibpqFiles(access, folder);
      // One line, whatever the password: a second one would be another server's.
      expect((await readFile(files.passfile, 'utf8')).split('\n')).toHaveLength(2);
      libpqEnvironment(access, 'd', files);
    },
  ])
    await each(`secrets ${read.toString().length}`, originals, async (input) => {
      await write(input);
      await read();
    });
});

test('WAL that was changed as it is stored is the same or refused', async () => {
  const text = 'tidemark '.repeat(400);
  await each('unpack', corpus('unpacked/gzip', 'packed/zstd-sized'), async (input, original) => {
    const content = await unpack(input, 'key', signal);
    // A flipped bit of a header that says nothing (gzip's time) leaves the content.
    if (!input.equals(original)) expect(content.toString('utf8')).toBe(text);
  });
});

test('an object whose digest the manifest has is never taken when it was changed', async () => {
  const originals = corpus('packed', 'archives');
  const { createHash } = await import('node:crypto');
  await each('verified', originals, async (input, original) => {
    const sha256 = `sha256:${createHash('sha256').update(original).digest('hex')}`;
    const parts: Buffer[] = [];
    for await (const part of verified(pieces(input), { size: original.length, sha256 }, 'x')) parts.push(part);
    expect(Buffer.concat(parts).equals(original)).toBe(true);
  });
});
