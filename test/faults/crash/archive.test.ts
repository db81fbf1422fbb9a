import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { mounts } from '../../../src/domain/mounts.ts';
import { bundled } from '../../support/bundled.ts';
import { chooseSeed, randomFrom } from '../../support/faults/random.ts';
import { spread } from '../../support/faults/spread.ts';
import { bounded } from '../../support/faults.ts';
import { type ScriptedProxy, startScriptedProxy } from '../../support/s3/scripted-proxy.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import {
  archivedFiles,
  archiveTask,
  exists,
  makeSetting,
  type Setting,
  s3Repository,
  until,
} from '../../support/wal/sidecar.ts';
import { type SmallServer, startSmallServer } from '../../support/wal/small-segments.ts';

vi.setConfig({ testTimeout: bounded(300_000, 7_200_000) });
const seed = chooseSeed();
let s3: S3Server;
let proxy: ScriptedProxy;
let setting: Setting;
let server: SmallServer;
let sidecar: ChildProcess;

beforeAll(async () => {
  s3 = await startS3Server();
  await s3.createBucket('backups');
  proxy = await startScriptedProxy(s3.endpoint);
  setting = await makeSetting();
  const credentials = setting.root + mounts.repository.credentials(0);
  await mkdir(credentials, { recursive: true });
  await writeFile(join(credentials, 'AWS_ACCESS_KEY_ID'), s3.accessKey);
  await writeFile(join(credentials, 'AWS_SECRET_ACCESS_KEY'), s3.secretKey);
  sidecar = await start();
  await until('the script is there', () => exists(join(setting.spool, 'archive.sh')));
  server = await startSmallServer({ archive_mode: 'on', archive_command: setting.command });
  await server.psql('CREATE TABLE t (body text)');
});
afterAll(async () => {
  sidecar?.kill('SIGKILL');
  await server?.stop();
  await proxy?.stop();
  await s3?.stop();
  await setting?.remove();
});

async function start(): Promise<ChildProcess> {
  const program = await bundled(new URL('../../support/faults/agent-process.ts', import.meta.url).pathname);
  const given = {
    task: archiveTask({ repositories: [s3Repository({ endpoint: proxy.endpoint }, 'backups')] }),
    folders: { mountRoot: setting.root, scratch: '', temporary: '' },
    pod: 'pod-1',
    control: '',
  };
  return spawn(process.execPath, [program, JSON.stringify(given)], { stdio: ['ignore', 'ignore', 'inherit'] });
}

const status = () => readdir(join(server.dataFolder, 'pg_wal/archive_status'));
const nothingWaits = () =>
  until('nothing waits any more', async () => !(await status()).some((name) => name.endsWith('.ready')));

/** Byte for byte, in the store's own folder, whatever the server believes archived. */
async function requireAcknowledged(where: string): Promise<number> {
  const done = (await status()).flatMap((name) => (name.endsWith('.done') ? [name.slice(0, -5)] : []));
  const archived = await archivedFiles(join(s3.folder, 'backups'));
  for (const name of done) {
    const content = await readFile(join(server.dataFolder, 'pg_wal', name));
    expect(archived.get(name)?.equals(content), `${where}: ${name}`).toBe(true);
  }
  return done.length;
}

/** Two segments, the sidecar killed at the point with this number on the way; gives the points that were reached. */
async function archiveTwo(killAt: number): Promise<readonly string[]> {
  const points: string[] = [];
  const killed: Promise<unknown>[] = [];
  const kill = async () => {
    const gone = once(sidecar, 'exit');
    sidecar.kill('SIGKILL');
    await gone;
  };
  const reaches = (what: string) => {
    points.push(what);
    return points.length - 1 === killAt;
  };
  proxy.script = async ({ kind, path }) => {
    const what = `${kind} ${path.split('/').at(-1)}`;
    if (reaches(`before ${what}`)) {
      killed.push(kill());
      await killed[0];
      return { fault: 'reset' };
    }
    if (kind !== 'put' || !reaches(`after ${what}`)) return 'forward';
    const meanwhile = async () => {
      killed.push(kill());
      await killed[0];
    };
    return { fault: 'lose', meanwhile };
  };
  const write = async () => {
    for (let segment = 0; segment < 2; segment += 1) {
      await server.psql('INSERT INTO t SELECT repeat(md5(random()::text), 60) FROM generate_series(1, 300)');
      await server.psql('SELECT pg_switch_wal()');
    }
  };
  await write();
  const reached = until('the point or the end', async () => {
    return killed.length > 0 || !(await status()).some((name) => name.endsWith('.ready'));
  });
  await reached;
  await Promise.all(killed);
  proxy.script = () => 'forward';
  const where = `seed ${seed}, killed at ${killAt}: ${points[killAt]}`;
  await requireAcknowledged(where);
  if (killed.length > 0) sidecar = await start();
  await nothingWaits();
  await requireAcknowledged(where);
  return points;
}

test('the sidecar, killed at each request: what the server believes archived is, and in the end all is', async () => {
  const calm = await archiveTwo(-1);
  expect(calm.some((what) => what.startsWith('after put'))).toBe(true);
  const chosen = spread(calm, randomFrom(seed), /after put/);
  for (const killAt of chosen) await archiveTwo(killAt);
  const total = await requireAcknowledged('in the end');
  process.stdout.write(`archiving: ${calm.length} points, killed at ${chosen.length}, ${total} files archived\n`);
});
