import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { runAgent } from '../../../../src/agent/main.ts';
import { hooks as schema } from '../../../../src/api/hooks.ts';
import type { HooksTask } from '../../../../src/domain/task.ts';
import { ApiError } from '../../../../src/kube/api-error.ts';
import type { KubeClient, Method, RequestOptions } from '../../../../src/kube/client.ts';
import { HookServer } from '../../../support/hook-server.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

let receiver: HookServer;
let folder: string;
beforeEach(async () => {
  receiver = await HookServer.start();
  folder = await mkdtemp(join(tmpdir(), 'tidemark-main-'));
  return async () => {
    await receiver.stop();
    await rm(folder, { recursive: true });
  };
});

/** An agent's process, as far as its exit code; `status` is that of its run. */
async function run(task: object, status: object | undefined) {
  const written: { readonly path: string; readonly manager: unknown; readonly status: Record<string, unknown> }[] = [];
  const client: KubeClient = {
    namespace: 'shop',
    async request<Answer>(method: Method, path: string, { body, query }: RequestOptions = {}): Promise<Answer> {
      if (method === 'PATCH') {
        const { status: told } = body as { status: Record<string, unknown> };
        written.push({ path, manager: query?.['fieldManager'], status: structuredClone(told) });
        return {} as Answer;
      }
      if (status === undefined) throw new ApiError(404, 'NotFound', 'it is gone');
      return { metadata: { name: 'orders-1', uid: 'u-1' }, status } as Answer;
    },
    watch: () => {
      throw new Error('unexpected');
    },
    close: async () => undefined,
  };
  const code = await runAgent({
    environment: { TIDEMARK_TASK: JSON.stringify(task), TIDEMARK_JOB_NAME: 'orders-1', TIDEMARK_RUN_NAME: 'orders-1' },
    connect: async () => client,
    log,
    signal: AbortSignal.timeout(120_000),
    terminationMessage: join(folder, 'message'),
  });
  return { code, written };
}

const hooks = () =>
  schema.parse({
    postBackup: [{ http: { url: receiver.url('/one') } }, { http: { url: receiver.url('/two') }, when: 'OnFailure' }],
  });
const common = {
  namespace: 'shop',
  policy: { name: 'orders', uid: 'p-1' },
  method: 'Logical',
  type: 'Full',
} as const;

describe('the agent of what remains of the hooks', () => {
  const task = (): HooksTask => ({
    ...common,
    action: 'hooks',
    run: { name: 'orders-1', uid: 'u-1' },
    phase: 'Failed',
    reason: 'OutOfMemory',
    error: 'The agent was killed.',
    outstanding: ['postBackup[0]', 'postBackup[1]'],
    hooks: hooks(),
  });

  test('writes what became of them, and nothing else, under a name of its own', async () => {
    const { code, written } = await run(task(), { backupID: 'b-1', report: { outcome: 'Failed' } });
    expect(code).toBe(0);
    expect(receiver.received.map(({ path }) => path)).toEqual(['/one', '/two']);
    expect(receiver.notices[0]).toMatchObject({ phase: 'Failed', backupID: 'b-1' });
    for (const { path, manager, status } of written) {
      expect(path).toBe('/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns/orders-1/status');
      expect(manager).toBe('tidemark-agent-hooks');
      expect(Object.keys(status)).toEqual(['hooks']);
    }
    const results = ['postBackup[0]', 'postBackup[1]'].map((hook) => ({ hook, state: 'Succeeded' }));
    expect(written.at(-1)?.status).toMatchObject({ hooks: { phase: 'Failed', results } });
    // The outcome of each is there before the next is begun.
    const states = written.map(({ status }) =>
      (status as { hooks: { results: readonly { state: string }[] } }).hooks.results.map(({ state }) => state).join(),
    );
    expect(states.indexOf('Succeeded,Pending')).toBeGreaterThan(-1);
    expect(states.indexOf('Succeeded,Pending')).toBeLessThan(states.indexOf('Succeeded,Succeeded'));
  });

  test('runs them though the run is gone', async () => {
    expect((await run(task(), undefined)).code).toBe(0);
    expect(receiver.received).toHaveLength(2);
  });
});

describe('the agent that follows one which was killed at its hooks', () => {
  test('makes no second backup: it runs the hooks that remain, and the Job is complete', async () => {
    const backup = {
      ...common,
      action: 'backup',
      server: {
        hosts: ['nowhere.invalid'],
        port: 5432,
        database: 'postgres',
        role: 'Primary',
        credentialsSecretName: 'c',
      },
      repositories: [{ name: 'local', spec: { volume: { claimName: 'backups' } } }],
      logical: {},
      physical: {},
      compression: {},
      deadlineSeconds: 3600,
      hooks: hooks(),
    };
    const report = { outcome: 'Succeeded', reason: 'BackupStored', message: '' };
    const { code, written } = await run(backup, { backupID: 'b-1', report });
    expect(code).toBe(0);
    expect(receiver.received.map(({ path }) => path)).toEqual(['/one']);
    expect(receiver.notices[0]).toMatchObject({ phase: 'Completed', backupID: 'b-1' });
    for (const { status } of written) expect(Object.keys(status)).toEqual(['hooks']);
  });
});
