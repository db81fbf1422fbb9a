import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runHooksTask } from '../../../src/agent/hooks/run-hooks-task.ts';
import { cancelled } from '../../../src/agent/report-of.ts';
import { type HooksStatus, hooks as schema } from '../../../src/api/hooks.ts';
import type { HooksTask } from '../../../src/domain/task.ts';
import { HookServer } from '../../support/hook-server.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import {
  backupTask,
  createSetting,
  inventory,
  openRepository,
  recordingReporter,
  type Setting,
  volumeRepository,
} from '../backup/setting.ts';
import { backUpWithHooks } from './world.ts';

let server: TestServer;
let receiver: HookServer;
let setting: Setting;

beforeAll(async () => {
  [server, receiver] = await Promise.all([startPostgres(), HookServer.start()]);
  await server.psql('CREATE TABLE rows AS SELECT 1 AS one');
});

beforeEach(async () => {
  receiver.reset();
  setting = await createSetting(server);
  return () => setting.remove();
});

afterAll(async () => {
  await Promise.all([server?.stop(), receiver?.stop()]);
});

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const http = (path: string) => ({ url: receiver.url(path) });

const backUp = (hooks: object, signal?: AbortSignal) => backUpWithHooks(setting, backupTask(server), hooks, signal);
const hooksOf = ({ status }: { readonly status: Record<string, unknown> }) => status.hooks as HooksStatus;
const states = (reporter: { readonly status: Record<string, unknown> }) =>
  Object.fromEntries((hooksOf(reporter).results ?? []).map(({ hook, state }) => [hook, state]));
const paths = () => receiver.received.map(({ path }) => path);

async function stored() {
  const store = await openRepository(setting, volumeRepository);
  const { backups, keys } = await inventory(store);
  await store.close();
  return { backups: backups.length, keys: keys.length };
}

describe('a backup with hooks', () => {
  test('runs them in their order: before anything is stored, and after everything is', async () => {
    const seen: [string, number][] = [];
    receiver.answer = (response, { path }) => {
      void stored().then(({ backups }) => {
        seen.push([path, backups]);
        response.end();
      });
    };
    const { outcome, reporter } = await backUp({
      preBackup: [{ http: http('/one') }, { http: http('/two') }],
      postBackup: [
        { http: http('/always') },
        { http: http('/failure'), when: 'OnFailure' },
        { http: http('/success'), when: 'OnSuccess' },
      ],
    });
    expect(outcome.reason).toBe('BackupStored');
    expect(seen).toEqual([
      ['/one', 0],
      ['/two', 0],
      ['/always', 1],
      ['/success', 1],
    ]);
    expect(states(reporter)).toEqual({
      'preBackup[0]': 'Succeeded',
      'preBackup[1]': 'Succeeded',
      'postBackup[0]': 'Succeeded',
      'postBackup[2]': 'Succeeded',
    });
    expect(hooksOf(reporter).phase).toBe('Completed');
    const [before, , after] = receiver.notices;
    expect(before).toMatchObject({ phase: 'Running', hook: 'preBackup[0]', run: 'orders-manual' });
    expect(before).not.toHaveProperty('backupID');
    expect(after).toMatchObject({
      phase: 'Completed',
      backupID: expect.stringMatching(/^\d{8}T\d{6}Z-logical/),
      sourceBytes: expect.stringMatching(/^[1-9]\d*$/),
      storedBytes: expect.stringMatching(/^[1-9]\d*$/),
      durationSeconds: expect.any(Number),
    });
  });

  test('is not made where one before it fails, and nothing is stored; what follows it is not run either', async () => {
    receiver.answer = (response, { path }) => void response.writeHead(path === '/two' ? 400 : 200).end('not now');
    const failing = backUp({
      preBackup: [{ http: http('/one') }, { http: http('/two') }, { http: http('/three') }],
      postBackup: [{ http: http('/always') }],
    });
    await expect(failing).rejects.toMatchObject({
      reason: 'PreBackupHookFailed',
      retryable: false,
      message: expect.stringMatching(/preBackup\[1\].*not now.*nothing was stored/),
    });
    expect(paths()).toEqual(['/one', '/two']);
    expect(await stored()).toEqual({ backups: 0, keys: 0 });
  });

  test('may be tried again where what failed before it may pass', async () => {
    receiver.answer = (response) => void response.writeHead(503).end();
    const failing = backUp({ preBackup: [{ http: http('/one') }] });
    await expect(failing).rejects.toMatchObject({ reason: 'PreBackupHookFailed', retryable: true });
  });

  test('is made all the same where the hook before it may fail', async () => {
    receiver.answer = (response) => void response.writeHead(500).end();
    const { outcome, reporter } = await backUp({ preBackup: [{ http: http('/one'), onError: 'Continue' }] });
    expect(outcome.reason).toBe('BackupStored');
    expect(states(reporter)).toEqual({ 'preBackup[0]': 'Failed' });
    expect(await stored()).toMatchObject({ backups: 1 });
  });

  test('is stored whatever becomes of the hooks after it, and the others are run', async () => {
    receiver.answer = (response, { path }) => void response.writeHead(path === '/one' ? 500 : 200).end();
    const { outcome, reporter } = await backUp({ postBackup: [{ http: http('/one') }, { http: http('/two') }] });
    expect(outcome.reason).toBe('BackupStored');
    expect(states(reporter)).toEqual({ 'postBackup[0]': 'Failed', 'postBackup[1]': 'Succeeded' });
    expect(await stored()).toMatchObject({ backups: 1 });
  });

  test('that fails by itself leaves the hooks after it to who knows whether another try follows', async () => {
    await setting.setCredentials(server.superuser, 'wrong');
    const hooks = { preBackup: [{ http: http('/one') }], postBackup: [{ http: http('/always') }] };
    await expect(backUp(hooks)).rejects.toMatchObject({ reason: 'WrongPassword' });
    expect(paths()).toEqual(['/one']);
  });

  test('whose agent is stopped among the hooks after it leaves the rest, and is stored', async () => {
    const stop = new AbortController();
    receiver.answer = (response, { path }) => {
      if (path === '/two') stop.abort(cancelled());
      else response.end();
    };
    const { outcome, reporter } = await backUp(
      { postBackup: [{ http: http('/one') }, { http: http('/two') }, { http: http('/three') }] },
      stop.signal,
    );
    expect(outcome.reason).toBe('BackupStored');
    expect(states(reporter)).toEqual({
      'postBackup[0]': 'Succeeded',
      'postBackup[1]': 'Running',
      'postBackup[2]': 'Pending',
    });
  });
});

describe('the Job of the hooks that remain', () => {
  const task = (phase: HooksTask['phase'], outstanding: readonly string[], hooks: object): HooksTask => ({
    action: 'hooks',
    namespace: 'shop',
    policy: { name: 'orders', uid: 'p-1' },
    run: { name: 'orders-manual', uid: 'u-1' },
    method: 'Logical',
    type: 'Full',
    phase,
    reason: 'OutOfMemory',
    error: 'The agent was killed.',
    outstanding: [...outstanding],
    hooks: schema.parse(hooks),
  });
  const run = async (asked: HooksTask, hooks?: HooksStatus) => {
    const reporter = recordingReporter();
    const signal = AbortSignal.timeout(120_000);
    const status = hooks === undefined ? undefined : { hooks };
    const outcome = await runHooksTask({ task: asked, status, client: undefined, reporter, log, signal });
    return { outcome, reporter };
  };
  const all = () => ({
    postBackup: [
      { http: http('/always') },
      { http: http('/success'), when: 'OnSuccess' },
      { http: http('/failure'), when: 'OnFailure' },
    ],
  });

  test('runs those of the end that the run has come to, and says why it failed', async () => {
    const { reporter } = await run(task('Failed', ['postBackup[0]', 'postBackup[2]'], all()));
    expect(paths()).toEqual(['/always', '/failure']);
    expect(receiver.notices[0]).toMatchObject({
      phase: 'Failed',
      reason: 'OutOfMemory',
      error: 'The agent was killed.',
    });
    expect(hooksOf(reporter)).toMatchObject({ phase: 'Failed' });
    expect(states(reporter)).toEqual({ 'postBackup[0]': 'Succeeded', 'postBackup[2]': 'Succeeded' });
  });

  test('does not run again what is done, and does run again what was cut off', async () => {
    const { reporter } = await run(task('Completed', ['postBackup[0]', 'postBackup[1]'], all()), {
      phase: 'Completed',
      results: [
        { hook: 'preBackup[0]', state: 'Succeeded' },
        { hook: 'postBackup[0]', state: 'Failed', message: 'it answered 500' },
        { hook: 'postBackup[1]', state: 'Running' },
      ],
    });
    expect(paths()).toEqual(['/success']);
    expect(states(reporter)).toEqual({
      'preBackup[0]': 'Succeeded',
      'postBackup[0]': 'Failed',
      'postBackup[1]': 'Succeeded',
    });
  });

  test('has done its work where a hook fails: trying again is not for it', async () => {
    receiver.answer = (response) => void response.writeHead(500).end();
    const { outcome, reporter } = await run(task('Failed', ['postBackup[0]', 'postBackup[2]'], all()));
    expect(outcome.message).toMatch(/postBackup\[0\] failed/);
    expect(states(reporter)).toEqual({ 'postBackup[0]': 'Failed', 'postBackup[2]': 'Failed' });
  });
});
