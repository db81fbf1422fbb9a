import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseTask, runAgent } from '../../../src/agent/main.ts';
import { cancelled, exitCodeOf, reportOf } from '../../../src/agent/report-of.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { Failure, terminal, transient } from '../../../src/domain/failure.ts';
import type { DeleteTask } from '../../../src/domain/task.ts';
import type { KubeClient, Method, RequestOptions } from '../../../src/kube/client.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const rclone = { remote: 'offsite:backups', configSecretRef: { name: 'rclone', key: 'conf' } };
const deletion: DeleteTask = {
  action: 'delete',
  namespace: 'shop',
  run: { name: 'orders-1', uid: 'u-1' },
  repositories: [{ name: 'offsite', spec: backupRepositorySpec.parse({ rclone }) }],
  backup: { backupID: '20261121T030000Z-logical', path: 'shop/orders/7/backups/20261121T030000Z-logical' },
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-main-'));
});
afterEach(() => rm(folder, { recursive: true }));

function recordingClient() {
  const bodies: unknown[] = [];
  const client: KubeClient = {
    namespace: 'shop',
    async request<Answer>(_: Method, path: string, { body }: RequestOptions = {}): Promise<Answer> {
      bodies.push({ path, body });
      return { metadata: {} } as Answer;
    },
    watch: () => {
      throw new Error('unexpected');
    },
    close: async () => undefined,
  };
  return { client, bodies };
}

async function run(
  task: unknown,
  {
    connect,
    signal = new AbortController().signal,
  }: { connect?: () => Promise<KubeClient>; signal?: AbortSignal } = {},
) {
  const { client, bodies } = recordingClient();
  const terminationMessage = join(folder, 'message');
  const code = await runAgent({
    environment: { TIDEMARK_TASK: JSON.stringify(task), TIDEMARK_JOB_NAME: 'job', TIDEMARK_POD_NAME: 'job-x' },
    connect: connect ?? (async () => client),
    log,
    signal,
    terminationMessage,
  });
  const said = JSON.parse(await readFile(terminationMessage, 'utf8').catch(() => 'null'));
  return { code, bodies, said };
}

test('a failure ends in a report on the object, the same in the termination message, and the exit code', async () => {
  const { code, bodies, said } = await run(deletion);
  expect(code).toBe(3);
  const report = {
    outcome: 'Failed',
    reason: 'CredentialsMissing',
    retryable: false,
    pod: 'job-x',
    message: expect.stringContaining('could not be removed from offsite'),
  };
  expect(said).toEqual({ report: expect.objectContaining(report) });
  expect(bodies.at(-1)).toMatchObject({
    path: '/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns/orders-1/status',
    body: { metadata: { name: 'orders-1', uid: 'u-1' }, status: { report } },
  });
});

test('a pod that is told to stop says so', async () => {
  const { code, said } = await run(deletion, { signal: AbortSignal.abort(cancelled()) });
  expect(code).toBe(4);
  expect(said).toMatchObject({ report: { outcome: 'Cancelled', reason: 'Cancelled' } });
});

test('without a way to the API server the task is done and the termination message says how it went', async () => {
  const { code, said } = await run(deletion, { connect: () => Promise.reject(new Error('no service account')) });
  expect(code).toBe(3);
  expect(said).toMatchObject({ report: { reason: 'CredentialsMissing' } });
});

describe('a task', () => {
  test('is read as the operator wrote it', () => {
    expect(parseTask(JSON.stringify(deletion))).toEqual(deletion);
  });

  test.each([
    [undefined, 'NoTask'],
    ['', 'NoTask'],
    ['{', 'UnknownTask'],
    ['{"action":"dance"}', 'UnknownTask'],
    [JSON.stringify({ ...deletion, backup: {} }), 'UnknownTask'],
  ])('that is %j is refused', async (text, reason) => {
    expect(parseTask(text)).toMatchObject({ reason, retryable: false });
  });

  test('that nobody understands is terminal', async () => {
    expect((await run({ action: 'dance' })).code).toBe(3);
  });
});

test.each([
  [transient('StoreUnreachable', 'm'), 1],
  [terminal('WrongPassword', 'm'), 3],
  [cancelled(), 4],
  [new TypeError('oops'), 1],
  ['a string', 1],
])('%s exits with %i', (error, code) => {
  const report = reportOf(error);
  expect(exitCodeOf(report)).toBe(code);
  if (!(error instanceof Failure))
    expect(report).toMatchObject({ reason: 'InternalError', message: expect.stringContaining('log has the details') });
});

test('success exits with 0', () => {
  expect(exitCodeOf({ outcome: 'Succeeded', reason: 'BackupStored', message: '' })).toBe(0);
});
