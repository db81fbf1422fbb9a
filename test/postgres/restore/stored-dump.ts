import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { manifestName } from '../../../src/domain/layout.ts';
import type { LogicalManifest } from '../../../src/domain/manifest.ts';
import type { TestServer } from '../../support/postgres/server.ts';
import { storedFiles, type World } from './world.ts';

/** What pg_dump itself writes with these arguments. */
export async function dumpOf(
  { host, port, superuser, password, bin }: TestServer,
  database: string,
  args: readonly string[],
): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-dump-'));
  const file = join(folder, 'dump');
  try {
    await execa(join(bin, 'pg_dump'), [...args, `--file=${file}`], {
      env: { PGHOST: host, PGPORT: String(port), PGUSER: superuser, PGPASSWORD: password, PGDATABASE: database },
    });
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A backup of one database whose dump is these bytes, as if they had been stored by a backup of that format. */
export async function storeDump(
  world: World,
  database: string,
  { format, bytes }: { readonly format: 'Plain' | 'Tar' | 'Custom'; readonly bytes: Buffer },
): Promise<string> {
  const backup = await world.backUp({
    logical: { databases: { include: [`"${database.replaceAll('"', '""')}"`] } },
    compression: { algorithm: 'none' },
  });
  await editManifest(world, backup, async (manifest, folder) => {
    const [stored] = manifest.logical.databases;
    const [object] = stored?.objects ?? [];
    if (stored === undefined || object === undefined) throw new Error('the backup has no dump');
    await writeFile(join(folder, object.path), bytes);
    const digest = createHash('sha256').update(bytes).digest('hex');
    const objects = [{ path: object.path, size: bytes.length, sha256: `sha256:${digest}` }];
    return { ...manifest, logical: { ...manifest.logical, databases: [{ ...stored, format, objects }] } };
  });
  return backup;
}

export async function editManifest(
  world: World,
  backup: string,
  edit: (manifest: LogicalManifest, folder: string) => Promise<LogicalManifest>,
): Promise<void> {
  const path = (await storedFiles(world, backup)).find((file) => file.endsWith(`/${manifestName}`));
  if (path === undefined) throw new Error(`backup ${backup} has no manifest`);
  const manifest = JSON.parse(await readFile(path, 'utf8')) as LogicalManifest;
  await writeFile(path, JSON.stringify(await edit(manifest, dirname(path))));
}
