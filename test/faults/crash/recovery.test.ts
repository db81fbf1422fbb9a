import { existsSync, watch } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RecoverTask } from '../../../src/domain/task.ts';
import { recover, startAndAsk } from '../../postgres/recover/recovery.ts';
import { createSource, planFor, type Source, taskFor } from '../../postgres/recover/source.ts';
import { chooseSeed, randomFrom } from '../../support/faults/random.ts';
import { scheduleOf } from '../../support/faults/schedule.ts';
import { spread } from '../../support/faults/spread.ts';
import { bounded } from '../../support/faults.ts';
import { openS3 } from '../../support/s3/open.ts';
import { type ScriptedProxy, startScriptedProxy } from '../../support/s3/scripted-proxy.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';

const seed = chooseSeed();
let source: Source;
let s3: S3Server;
let proxy: ScriptedProxy;
let manifest: PhysicalManifest;
let end: string;
let dataDirectory: string;

beforeAll(async () => {
  [source, s3] = await Promise.all([createSource(), startS3Server()]);
  proxy = await startScriptedProxy(s3.endpoint);
  dataDirectory = join(source.root, 'recovered');
  await source.server.psql("CREATE TABLE status (said text); INSERT INTO status VALUES ('new')");
  manifest = await source.backUp();
  for (const said of ['one', 'two']) {
    await source.server.psql(`UPDATE status SET said = '${said}'`);
    end = await source.ship();
  }
  // What is in the volume, in a store whose requests can be counted.
  await s3.createBucket('backups');
  const store = openS3({ ...s3, bucket: 'backups', prefix: '' });
  const signal = AbortSignal.timeout(120_000);
  for await (const { key } of source.store.list('', { signal }))
    await store.upload(key, await source.store.download(key, { signal }), { signal });
  await store.close();
  const credentials = join(source.mountRoot, mounts.repository.credentials(0));
  await mkdir(credentials, { recursive: true });
  await writeFile(join(credentials, 'AWS_ACCESS_KEY_ID'), s3.accessKey);
  await writeFile(join(credentials, 'AWS_SECRET_ACCESS_KEY'), s3.secretKey);
  await execa('chown', ['-R', `${source.account.uid}:${source.account.gid}`, source.mountRoot]);
}, 120_000);
afterAll(async () => {
  await source?.remove();
  await proxy?.stop();
  await s3?.stop();
});

function task(): RecoverTask {
  const spec = backupRepositorySpec.parse({
    s3: { bucket: 'backups', endpoint: proxy.endpoint, credentialsSecretRef: { name: 'store' } },
  });
  const from = { source: { repository: { name: 'store', spec }, namespace: 'shop', policy: 'orders' } };
  return taskFor(planFor(manifest, end), {}, dataDirectory, from);
}

/** One try, killed at the point with this number; gives the points that were reached. */
async function once(killAt: number): Promise<{ readonly points: readonly string[]; readonly failure: unknown }> {
  const points: string[] = [];
  let killAgent: () => void = () => undefined;
  const reaches = (what: string): boolean => {
    points.push(what);
    if (points.length - 1 !== killAt) return false;
    killAgent();
    return true;
  };
  proxy.script = ({ kind, path }) => (reaches(`${kind} ${path.split('/').at(-1)}`) ? { fault: 'reset' } : 'forward');
  const seen = new Set<string>();
  const watching = new AbortController();
  try {
    const found = await recover(source, task(), {
      meanwhile: async ({ folder, agent }) => {
        killAgent = () => agent('SIGKILL');
        // The signs between the two containers are the steps that no store sees.
        watch(folder, { signal: watching.signal, persistent: false }, (_, name) => {
          if (name === null || /^\.|\.tmp$|\.new$|^alive|^(want|have|absent|error|log)$/.test(name) || seen.has(name))
            return;
          if (!existsSync(join(folder, name))) return;
          seen.add(name);
          reaches(`sign ${name}`);
        }).on('error', () => undefined);
      },
    });
    return { points, failure: found.failure };
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('the agent said nothing')) throw error;
    return { points, failure: 'killed' };
  } finally {
    watching.abort();
    proxy.script = () => 'forward';
  }
}

async function requireWhole(where: string): Promise<void> {
  expect(await startAndAsk(source, dataDirectory, 'SELECT said FROM status'), where).toBe('two');
  expect(
    (await readdir(source.root)).filter((name) => name.startsWith('.')),
    where,
  ).toEqual([]);
}

test('a recovery, killed at each step, is a whole one at the next try', async () => {
  const calm = await once(-1);
  expect(calm.failure).toBeUndefined();
  await requireWhole('undisturbed');
  const chosen = spread(calm.points, randomFrom(seed), /sign/);
  let kills = 0;
  for (const killAt of chosen) {
    await rm(dataDirectory, { recursive: true, force: true });
    const where = `TIDEMARK_SEED=${seed}, killed at ${killAt} of ${calm.points.length}: ${calm.points[killAt]}`;
    const first = await once(killAt);
    if (first.failure === 'killed') kills += 1;
    if (first.failure !== undefined) expect((await once(-1)).failure, where).toBeUndefined();
    await requireWhole(where);
  }
  expect(kills).toBeGreaterThan(1);
  process.stdout.write(`recovery: ${calm.points.length} points, killed at ${kills}\n`);
}, 3_600_000);

test('a recovery while the store fails by chance is a whole one, or none', async () => {
  let done = 0;
  const rounds = bounded(2, 25);
  for (let round = 0; round < rounds; round += 1) {
    await rm(dataDirectory, { recursive: true, force: true });
    const schedule = scheduleOf(randomFrom(seed + round * 1009));
    proxy.script = schedule.script;
    const { failure } = await recover(source, task());
    proxy.script = () => 'forward';
    const where = `TIDEMARK_SEED=${seed}, round ${round}:\n${schedule.struck()}`;
    if (failure === undefined) {
      await requireWhole(where);
      done += 1;
      continue;
    }
    expect(failure.reason, where).not.toBe('Error');
    expect(failure.message, where).toMatch(/\w+.*\./);
    expect(existsSync(dataDirectory), where).toBe(false);
  }
  process.stdout.write(`recovery under faults: seed ${seed}, ${done} of ${rounds} done\n`);
}, 3_600_000);
