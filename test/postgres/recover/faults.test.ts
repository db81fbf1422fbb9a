import { access, chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { type Recovered, recover } from './recovery.ts';
import { createSource, planFor, type Source, taskFor } from './source.ts';

let source: Source;
let manifest: PhysicalManifest;
let end: string;
let segments: readonly string[];
let dataDirectory: string;

/** The file of an object in the volume. */
const fileOf = (key: string) => join(source.mountRoot, mounts.repository.volume(0), 'tidemark', key);
const fileOfSegment = (name: string) => fileOf(`${source.archive.path}/00000001/${name}.zst`);

beforeAll(async () => {
  source = await createSource();
  dataDirectory = join(source.root, 'recovered');
  await source.server.psql("CREATE TABLE status (said text); INSERT INTO status VALUES ('new')");
  manifest = await source.backUp();
  for (const said of ['one', 'two', 'three', 'four']) {
    await source.server.psql(`UPDATE status SET said = '${said}'`);
    end = await source.ship();
  }
  const folder = await readdir(join(fileOf(source.archive.path), '00000001'));
  segments = folder.filter((name) => /^[0-9A-F]{24}\.zst$/.test(name)).map((name) => name.slice(0, 24));
}, 60_000);
afterAll(() => source?.remove());

const untouched = async (found: Recovered) => {
  await expect(access(dataDirectory), 'the new directory is gone').rejects.toThrow();
  expect((await readdir(source.root)).filter((name) => name.startsWith('.'))).toEqual([]);
  expect(found.log).not.toMatch(/archive recovery complete/);
};

describe('a recovery never ends in a promotion with data missing', () => {
  let mend: () => Promise<void> = async () => undefined;
  afterEach(async () => {
    await mend();
    await rm(dataDirectory, { recursive: true, force: true });
  });

  it('where the store fails in the middle of replay', async () => {
    const file = fileOfSegment(segments.at(-2) ?? '');
    await chmod(file, 0);
    mend = () => chmod(file, 0o600);
    const found = await recover(source, taskFor(planFor(manifest, end), {}, dataDirectory));
    expect(found.failure?.message).toMatch(/^Replay cannot go on without the WAL file .*was removed\.$/s);
    await untouched(found);
  });

  it('where a segment that the plan knows is gone', async () => {
    const name = segments.at(-2) ?? '';
    const content = await readFile(fileOfSegment(name));
    await rm(fileOfSegment(name));
    mend = async () => writeFile(fileOfSegment(name), content, { mode: 0o644 });
    const found = await recover(source, taskFor(planFor(manifest, end), {}, dataDirectory));
    expect(found.failure).toMatchObject({ reason: 'WalMissing' });
    await untouched(found);
  });

  it('where a record in the middle cannot be read', async () => {
    const name = segments.at(-2) ?? '';
    const stored = await readFile(fileOfSegment(name));
    const content = await source.archive.get(name, { signal: AbortSignal.timeout(120_000) });
    await rm(fileOfSegment(name));
    await source.archive.put(name, (content ?? Buffer.alloc(0)).fill(0xff, 100, 8192), {
      signal: AbortSignal.timeout(120_000),
    });
    await chmod(fileOfSegment(name), 0o644);
    mend = async () => writeFile(fileOfSegment(name), stored);
    const found = await recover(source, taskFor(planFor(manifest, end), {}, dataDirectory));
    expect(found.failure, found.log).toMatchObject({ reason: 'ReplayEndedEarly' });
    await expect(access(dataDirectory)).rejects.toThrow();
  });

  it('where a chunk of the base backup is damaged', async () => {
    const [chunk] = manifest.physical.chunks;
    const file = fileOf(`${planFor(manifest, end).backupPath}/${chunk?.path}`);
    const content = await readFile(file);
    const damaged = Buffer.from(content);
    damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] ?? 0) ^ 1;
    await writeFile(file, damaged);
    mend = () => writeFile(file, content);
    const found = await recover(source, taskFor(planFor(manifest, end), {}, dataDirectory));
    expect(found.failure).toMatchObject({ reason: 'CorruptedBackup', retryable: false });
    expect(found.exitCode).toBe(1);
    await untouched(found);
  });
});
