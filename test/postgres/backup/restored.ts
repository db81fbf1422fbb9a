import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Manifest, ManifestDatabase } from '../../../src/domain/manifest.ts';
import type { Store } from '../../../src/repository/store.ts';
import { decompressor } from '../../../src/stream/compress.ts';
import { runPipeline } from '../../../src/stream/pipeline.ts';
import type { TestServer } from '../../support/postgres/server.ts';
import { tarExtract } from '../../support/tar-extract.ts';

/** Restores a stored dump into another database with PostgreSQL's own tool. */
export async function restoreInto(
  server: TestServer,
  { store, manifest, path }: { readonly store: Store; readonly manifest: Manifest; readonly path: string },
  database: ManifestDatabase,
  target: string,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-restore-'));
  const signal = AbortSignal.timeout(120_000);
  try {
    await server.psql(`CREATE DATABASE ${identifier(target)} TEMPLATE template0`);
    const dump = join(folder, 'dump');
    for (const { path: object } of database.objects) {
      const input = await store.download(`${path}/${object}`, { signal });
      const unpack = decompressor(manifest.compression) ?? { command: 'cat', args: [] };
      if (database.format === 'Directory') {
        const options = { signal, input, stdout: 'ignore', mayStopReading: true } as const;
        await runPipeline([unpack, tarExtract(folder)], options).finished;
      } else {
        await writeFile(dump, runPipeline([unpack], { signal, input }).output);
      }
    }
    if (database.format === 'Plain') {
      await tool(server, 'psql', target, ['-X', '--quiet', '--set=ON_ERROR_STOP=1', `--file=${dump}`]);
      return;
    }
    await tool(server, 'pg_restore', target, [
      '--exit-on-error',
      '--dbname=',
      database.format === 'Directory' ? folder : dump,
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Everything in a database, as text: schema, rows, large objects. */
export async function contentOf(server: TestServer, database: string): Promise<string> {
  const text = await tool(server, 'pg_dump', database, ['--format=plain']);
  // Newer pg_dump writes a random word at both ends.
  return text.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

async function tool(server: TestServer, name: string, database: string, args: readonly string[]): Promise<string> {
  const { stdout } = await execa(join(server.bin, name), args, {
    env: {
      PGHOST: server.host,
      PGPORT: String(server.port),
      PGUSER: server.superuser,
      PGPASSWORD: server.password,
      PGDATABASE: database,
    },
    maxBuffer: 200_000_000,
  });
  return stdout;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
