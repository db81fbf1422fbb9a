import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { restoreRequestSpec } from '../../src/api/restore-request.ts';
import type { RepositoryTask } from '../../src/domain/task.ts';
import { backupTask, createSetting, type Setting, s3Repository, volumeRepository } from '../postgres/backup/setting.ts';
import { startPostgres, type TestServer } from '../support/postgres/server.ts';
import { startS3Server } from '../support/s3/server.ts';
import { bareTools, type Format, formats } from './bare-dump.ts';
import { bundle } from './bundle.ts';
import type { Figure } from './figure.ts';
import { createMeasure, describe, type Measure, type Measured, type Run } from './measure.ts';
import { accountProcessorTime, watchMemory } from './usage.ts';

/** Rows of JSON and the scale of pgbench: about 3 GB, or about 300 MB. */
const sizes = { full: { scale: 100, rows: 4_000_000 }, small: { scale: 10, rows: 400_000 } } as const;
export type Size = keyof typeof sizes;

/** Of the formats that have them, for the agent and for the bare tools. */
const jobs = 2;

/**
 * Every format, dumped and restored by the agent and by the bare tools: one server, one after the other, into files of one
 * disk. All is done in turn, three times, and the median of each is told. Then the agent into a real S3 server, which
 * takes it the most memory.
 */
export async function benchDump(size: Size, log: (line: string) => void): Promise<readonly Figure[]> {
  const account = await accountProcessorTime();
  const server = await startPostgres({ settings: { shared_buffers: '512MB', max_wal_size: '8GB' } });
  const s3 = await startS3Server();
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const setting = await createSetting(server, s3);
  try {
    await s3.createBucket('backups');
    log(`Loading ${size === 'full' ? 'about 3 GB' : 'about 300 MB'}`);
    await load(server, size);
    const bytes = Number(await server.psql('SELECT pg_database_size(current_database())'));
    const agent = await prepareAgent(server, setting, folder);
    const bench: Bench = { server, folder, agent, measure: createMeasure(account.seconds, log) };
    const figures: Figure[] = [
      { what: 'database', value: `${(bytes / 1e9).toFixed(2)} GB, PostgreSQL ${server.major}` },
    ];
    for (const format of formats) {
      figures.push(...(await compare(bench, format, bytes)));
      figures.push(...(await intoS3(bench, format, s3Repository(s3, 'backups'))));
    }
    return figures;
  } finally {
    await Promise.all([server.stop(), s3.stop(), setting.remove(), rm(folder, { recursive: true, force: true })]);
    await account.close();
  }
}

interface Bench {
  readonly server: TestServer;
  readonly folder: string;
  readonly agent: Agent;
  readonly measure: Measure;
}

async function compare({ server, folder, agent, measure }: Bench, format: Format, bytes: number) {
  const bare = bareTools(format, server, folder);
  const memory = { dump: none, restore: none };
  let backupID = '';
  const { samePacking } = bare;
  const dumpOwn = async () => {
    const ended = await agent.backUp(format, volumeRepository);
    backupID = ended.backupID;
    memory.dump = ended.memory;
  };
  const [bareDump, ownDump, packedSame] = await measure.inTurn([
    { what: bare.dumping, run: bare.dump },
    { what: `agent, ${format}`, run: dumpOwn },
    ...(samePacking === undefined ? [] : [{ what: samePacking.title, run: samePacking.dump }]),
  ]);
  const into = (database: string, run: () => Promise<void>): Run => {
    return async (done) => {
      await run();
      await done();
      await requireSame(server, database);
      await server.psql(`DROP DATABASE "${database}"`);
      await server.psql('CHECKPOINT');
    };
  };
  const [bareRestore, ownRestore] = await measure.inTurn([
    { what: bare.restoring, run: into('bare', () => bare.restore('bare')) },
    {
      what: `agent, ${format}, restored`,
      run: into('own', async () => {
        memory.restore = await agent.restore(format, backupID, 'own');
      }),
    },
  ]);
  const rate = (measured: Measured) => `${describe(measured)} (${(bytes / 1e6 / measured.seconds).toFixed(0)} MB/s)`;
  const ratio = (own: Measured, other: Measured) => (own.seconds / other.seconds).toFixed(2);
  return [
    { what: `dump: ${bare.dumping}`, value: rate(bareDump) },
    { what: `dump: agent, ${format}`, value: `${rate(ownDump)}, ${tell(memory.dump)}` },
    { what: `dump: ratio, ${format} (aim 1.1)`, value: ratio(ownDump, bareDump) },
    ...(samePacking === undefined || packedSame === undefined
      ? []
      : [
          { what: `dump: ${samePacking.title}`, value: rate(packedSame) },
          { what: `dump: ratio, ${format}, to the same packing`, value: ratio(ownDump, packedSame) },
        ]),
    { what: `restore: ${bare.restoring}`, value: rate(bareRestore) },
    { what: `restore: agent, ${format}`, value: `${rate(ownRestore)}, ${tell(memory.restore)}` },
    { what: `restore: ratio, ${format} (aim 1.1)`, value: ratio(ownRestore, bareRestore) },
  ];
}

async function intoS3({ agent, measure }: Bench, format: Format, repository: RepositoryTask) {
  let memory = none;
  const measured = await measure.once(`agent, ${format}, into S3`, async () => {
    ({ memory } = await agent.backUp(format, repository));
  });
  return [{ what: `dump: agent, ${format}, into S3`, value: `${describe(measured)}, ${tell(memory)}` }];
}

/** Half a restore would look like a fast one. */
async function requireSame(server: TestServer, database: string): Promise<void> {
  const count =
    'SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM pgbench_accounts), (SELECT count(*) FROM pg_index)';
  const [original, restored] = [await server.psql(count), await server.psql(count, database)];
  if (original !== restored) throw new Error(`${database} has ${restored} instead of ${original}`);
}

/** Peaks of resident memory in bytes. */
interface Peak {
  /** Of the agent's own process; aim under 256 MiB. */
  readonly node: number;
  /** Of it and of the tools that it starts, together: what the pod's limit counts. */
  readonly all: number;
}

const none: Peak = { node: 0, all: 0 };

function tell({ node, all }: Peak): string {
  const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
  return `peak RSS ${mebibytes(node)}, with its tools ${mebibytes(all)}`;
}

interface Agent {
  backUp(format: Format, repository: RepositoryTask): Promise<{ readonly backupID: string; readonly memory: Peak }>;
  restore(format: Format, backupID: string, database: string): Promise<Peak>;
}

async function prepareAgent(server: TestServer, setting: Setting, folder: string): Promise<Agent> {
  const program = await bundle(join(import.meta.dirname, 'dump-process.ts'), join(folder, 'program'));
  // An image holds what was compiled before.
  const env = { NODE_COMPILE_CACHE: join(folder, 'compiled') };
  const run = async (task: object) => {
    const input = JSON.stringify({ task, folders: setting.folders });
    const running = execa(process.execPath, ['--max-semi-space-size=4', program, input], { env });
    const watch = watchMemory(running.pid ?? 0);
    try {
      const { stdout } = await running;
      const { status, peakBytes } = JSON.parse(stdout);
      return { backupID: String(status.backupID), memory: { node: Number(peakBytes), all: watch.takePeak() } };
    } finally {
      watch.stop();
    }
  };
  return {
    backUp: (format, repository) => {
      const logical = {
        format,
        databases: { include: ['postgres'] },
        globals: 'None',
        ...(format === 'Directory' ? { jobs } : {}),
      };
      return run(backupTask(server, { repositories: [repository], logical }));
    },
    restore: async (format, backupID, database) => {
      const restore = restoreRequestSpec.parse({
        source: { repository: { repositoryRef: { name: volumeRepository.name }, backupID } },
        target: { server: { host: server.host, credentialsSecretRef: { name: 'admin' } } },
        databases: [{ name: 'postgres', targetName: database }],
        jobs: format === 'Custom' || format === 'Directory' ? jobs : 1,
      });
      const { memory } = await run({
        action: 'restore',
        namespace: 'shop',
        request: { name: 'bench', uid: '11112222-0000-4000-8000-000000000001' },
        repository: volumeRepository,
        backup: { backupID },
        server: backupTask(server).server,
        restore,
      });
      return memory;
    },
  };
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
