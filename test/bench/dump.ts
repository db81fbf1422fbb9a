import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { createSetting } from '../postgres/backup/setting.ts';
import { startPostgres, type TestServer } from '../support/postgres/server.ts';
import { startS3Server } from '../support/s3/server.ts';
import { bundle } from './bundle.ts';
import type { Figure } from './figure.ts';

/** Rows of JSON and the scale of pgbench: about 3 GB, or about 300 MB. */
const sizes = { full: { scale: 100, rows: 4_000_000 }, small: { scale: 10, rows: 400_000 } } as const;
export type Size = keyof typeof sizes;

/**
 * The agent into a real S3 server, against the bare tools into a file, on one server, one after the other, in one run. Each
 * way is run twice and the second is told: the first fills the page cache for all.
 */
export async function benchDump(size: Size, log: (line: string) => void): Promise<readonly Figure[]> {
  const server = await startPostgres({ settings: { shared_buffers: '512MB' } });
  const s3 = await startS3Server();
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const setting = await createSetting(server, s3);
  try {
    await s3.createBucket('backups');
    log(`Loading ${size === 'full' ? 'about 3 GB' : 'about 300 MB'}`);
    await load(server, size);
    const bytes = Number(await server.psql('SELECT pg_database_size(current_database())'));
    const source = join(import.meta.dirname, '../postgres/backup/agent-process.ts');
    const program = await bundle(source, join(folder, 'program'));
    const agent = async (logical: object) => {
      const { major, host, port, superuser, password } = server;
      const input = JSON.stringify({
        server: { major, host, port, superuser, password },
        s3,
        folders: setting.folders,
        logical,
      });
      const env = { NODE_COMPILE_CACHE: join(folder, 'compiled') };
      const { stdout } = await execa(process.execPath, ['--max-semi-space-size=4', program, input], { env });
      return JSON.parse(stdout) as { readonly seconds: number; readonly peakBytes: number };
    };
    const bare = bareTools(server, folder);
    const warm = async <Answer>(what: string, run: () => Promise<Answer>) => {
      log(what);
      await run();
      return await run();
    };
    const plainCustom = await warm('pg_dump -Fc into a file', () => timed(bare.custom));
    const packedCustom = await warm('pg_dump -Fc -Z0 | zstd -3 into a file', () => timed(bare.customZstd));
    const directory = await warm('pg_dump -Fd -j2 -Z1 into a folder', () => timed(bare.directory));
    const agentCustom = await warm('the agent, Custom, into S3', () => agent({ format: 'Custom' }));
    const agentDirectory = await warm('the agent, Directory, jobs 2, into S3', () =>
      agent({ format: 'Directory', jobs: 2 }),
    );
    const rate = (seconds: number) => `${seconds.toFixed(1)} s (${(bytes / 1e6 / seconds).toFixed(0)} MB/s)`;
    const memory = (peak: number) => `${(peak / 1024 ** 2).toFixed(0)} MiB`;
    return [
      { what: 'database', value: `${(bytes / 1e9).toFixed(2)} GB, PostgreSQL ${server.major}` },
      { what: 'pg_dump -Fc > file (gzip)', value: rate(plainCustom) },
      { what: 'pg_dump -Fc -Z0 | zstd -3 -T0 > file', value: rate(packedCustom) },
      { what: 'pg_dump -Fd -j2 -Z1', value: rate(directory) },
      { what: 'agent, Custom, into S3', value: rate(agentCustom.seconds) },
      { what: 'agent, Directory, jobs 2, into S3', value: rate(agentDirectory.seconds) },
      { what: 'ratio: agent Custom / pg_dump -Fc', value: (agentCustom.seconds / plainCustom).toFixed(2) },
      {
        what: 'ratio: agent Custom / pg_dump | zstd (aim 1.1)',
        value: (agentCustom.seconds / packedCustom).toFixed(2),
      },
      {
        what: 'ratio: agent Directory / pg_dump -Fd -j2 (aim 1.1)',
        value: (agentDirectory.seconds / directory).toFixed(2),
      },
      { what: 'agent, Custom: peak RSS of Node (aim under 256 MiB)', value: memory(agentCustom.peakBytes) },
      { what: 'agent, Directory: peak RSS of Node (aim under 256 MiB)', value: memory(agentDirectory.peakBytes) },
    ];
  } finally {
    await Promise.all([server.stop(), s3.stop(), setting.remove(), rm(folder, { recursive: true, force: true })]);
  }
}

/** pgbench's tables and a table of documents. */
export async function load(server: TestServer, size: Size, database = 'postgres'): Promise<void> {
  const { scale, rows } = sizes[size];
  const environment = { PGPASSWORD: server.password };
  const connection = ['-h', server.host, '-p', String(server.port), '-U', server.superuser];
  await execa(join(server.bin, 'pgbench'), ['-i', '-q', '-s', String(scale), ...connection, database], {
    env: environment,
  });
  await server.psql(`
    CREATE TABLE documents AS
      SELECT n AS id, jsonb_build_object('id', n, 'name', md5(n::text), 'tags', jsonb_build_array(n % 7, n % 13), 'note', repeat(chr(97 + n % 26), n % 200)) AS document
        FROM generate_series(1, ${rows}) n;
    ALTER TABLE documents ADD PRIMARY KEY (id);
    VACUUM ANALYZE`);
  await server.psql('CHECKPOINT');
}

function bareTools(server: TestServer, folder: string) {
  const environment = { PGPASSWORD: server.password };
  const connection = ['-h', server.host, '-p', String(server.port), '-U', server.superuser, '-d', 'postgres'];
  const dump = join(server.bin, 'pg_dump');
  const fresh = async (name: string) => {
    const path = join(folder, name);
    await rm(path, { recursive: true, force: true });
    return path;
  };
  return {
    custom: async () => {
      await execa(dump, ['-Fc', '-f', await fresh('custom'), ...connection], { env: environment });
    },
    customZstd: async () => {
      const path = await fresh('custom.zst');
      // As a person would type it: the bytes go from process to process and to the file.
      const script = '"$0" "$@" | zstd -q -3 -T0 > "$PACKED"';
      await execa('sh', ['-c', script, dump, '-Fc', '-Z0', ...connection], { env: { ...environment, PACKED: path } });
      if ((await stat(path)).size === 0) throw new Error('zstd wrote nothing');
    },
    directory: async () => {
      await execa(dump, ['-Fd', '-j2', '-Z1', '-f', await fresh('directory'), ...connection], { env: environment });
    },
  };
}

async function timed(run: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await run();
  return (performance.now() - begun) / 1000;
}
