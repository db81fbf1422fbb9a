import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { runCopy } from '../../../src/agent/copy/run-copy.ts';
import { jobTemplate } from '../../../src/api/job-template.ts';
import { apiAccess } from '../../../src/controllers/jobs/api-access.ts';
import { buildJob } from '../../../src/controllers/jobs/build-job.ts';
import { parseBackupPath } from '../../../src/domain/layout.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { type CopyTask, task as taskSchema } from '../../../src/domain/task.ts';
import { readManifest } from '../../../src/repository/backups.ts';
import { openStore } from '../../../src/repository/open.ts';
import { verifyObjects } from '../../../src/repository/verify-objects.ts';
import { openWalArchive } from '../../../src/repository/wal-archive.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import {
  backUp,
  backupTask,
  createSetting,
  openRepository,
  recordingReporter,
  type Setting,
  s3Repository,
} from '../backup/setting.ts';

let server: TestServer;
let s3: S3Server;
let setting: Setting;
/** The pod of the page's Job. */
let pod: string;
let page: string;

const signal = AbortSignal.timeout(300_000);
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

beforeAll(async () => {
  page = await readFile(join(import.meta.dirname, '../../../docs/copy-backups.md'), 'utf8');
  [server, s3] = await Promise.all([startPostgres(), startS3Server()]);
  await s3.createBucket('backups');
  setting = await createSetting(server, s3);
  pod = await mkdtemp(join(tmpdir(), 'tidemark-copy-'));
});

afterAll(async () => {
  await Promise.all([setting?.remove(), rm(pod, { recursive: true, force: true })]);
  await Promise.all([server?.stop(), s3?.stop()]);
});

interface PageJob {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly volumes: readonly { readonly name: string }[];
        readonly containers: readonly {
          readonly env: readonly { readonly name: string; readonly value?: string }[];
          readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
        }[];
      };
    };
  };
}

function pageJob(): { readonly job: PageJob; readonly task: CopyTask } {
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].flatMap(([, text = '']) => parseAllDocuments(text));
  const job = blocks.map((block) => block.toJS()).find(({ kind }) => kind === 'Job') as PageJob;
  const text = job.spec.template.spec.containers[0]?.env.find(({ name }) => name === 'TIDEMARK_TASK')?.value ?? '';
  return { job, task: taskSchema.parse(JSON.parse(text)) as CopyTask };
}

/** The page's store is this one. */
function here(task: CopyTask): CopyTask {
  return taskSchema.parse(JSON.parse(JSON.stringify(task).replace('https://s3.example.com', s3.endpoint))) as CopyTask;
}

function run(task: CopyTask) {
  return runCopy({
    task: here(task),
    reporter: recordingReporter(),
    log: quiet,
    signal,
    claim: { jobName: 'copy-orders-by-hand', pod: 'pod', runState: async () => 'unknown' },
    folders: { mountRoot: pod },
  });
}

test('the Job of the page has the mounts and variables that the operator would give it', () => {
  const { job, task } = pageJob();
  const built = buildJob({
    task,
    template: jobTemplate.parse({}),
    agent: { image: 'agent', imagePullPolicy: 'IfNotPresent', imagePullSecrets: [] },
    labels: {},
  });
  if (!('spec' in built)) throw new Error(built.message);
  const [own] = job.spec.template.spec.containers;
  const [theirs] = (built.spec as PageJob['spec']).template.spec.containers;
  const paths = (container: typeof own) => container?.volumeMounts.map(({ mountPath }) => mountPath).sort();
  // A Job by hand has no object to report to, and so asks nothing of the API server.
  expect(paths(own)).toEqual(paths(theirs)?.filter((path) => path !== apiAccess.mount.mountPath));
  const volumes = new Set(job.spec.template.spec.volumes.map(({ name }) => name));
  expect(own?.volumeMounts.every(({ name }) => volumes.has(name))).toBe(true);
  const known = new Set(theirs?.env.map(({ name }) => name));
  expect(own?.env.every(({ name }) => known.has(name))).toBe(true);
});

test('it copies all backups of the policy and their WAL, and again what has come since', async () => {
  const { job, task } = pageJob();
  for (const { mountPath } of job.spec.template.spec.containers[0]?.volumeMounts ?? [])
    await mkdir(join(pod, mountPath), { recursive: true });
  const secret = join(pod, mounts.repository.credentials(1));
  await writeFile(join(secret, 'AWS_ACCESS_KEY_ID'), s3.accessKey);
  await writeFile(join(secret, 'AWS_SECRET_ACCESS_KEY'), s3.secretKey);
  const offsite = s3Repository(s3, 'backups');
  const logical = { databases: { include: ['postgres'] } };
  const made: { readonly path: string; readonly checksum: string }[] = [];
  const backUpOnce = async () => {
    const { reporter } = await backUp(setting, backupTask(server, { repositories: [offsite], logical }));
    const [entry] = reporter.status.repositories as readonly { readonly path: string; readonly checksum: string }[];
    if (entry !== undefined) made.push(entry);
    return String(reporter.status.backupID);
  };
  await backUpOnce();
  const { systemIdentifier = '' } = parseBackupPath(made[0]?.path ?? '') ?? {};
  const store = await openRepository(setting, offsite);
  const archive = openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier });
  await archive.put('000000010000000000000001', Buffer.alloc(1024), { signal });
  await store.close();
  expect((await run(task)).message).toMatch(/^1 backup copied to copies, 0 there already; .*; 1 WAL file copied\.$/);

  const second = await backUpOnce();
  const [, text = ''] = /```json\n(.*?)```/s.exec(page) ?? [];
  const some = JSON.parse(text) as CopyTask & { readonly backups: readonly string[] };
  const one = taskSchema.parse({ ...some, backups: [second] }) as CopyTask;
  expect((await run(one)).message).toMatch(/^1 backup copied to copies, 0 there already; .*; 0 WAL files copied\.$/);
  expect((await run(task)).message).toMatch(/^0 backups copied to copies, 2 there already; 0 bytes sent/);

  const [to] = task.repositories;
  if (to === undefined) throw new Error('a task without repositories');
  const copies = await openStore(to, 0, { mountRoot: pod });
  for (const { path, checksum } of made) {
    const { manifest } = await readManifest(copies, path, { signal, expectedSha256: checksum });
    expect(await verifyObjects(copies, path, manifest, signal)).toEqual([]);
  }
  await copies.close();
});
