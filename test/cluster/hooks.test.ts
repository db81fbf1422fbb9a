import { beforeAll, describe, expect, test } from 'vitest';
import type { HooksStatus } from '../../src/api/hooks.ts';
import { readPage } from '../support/docs/page.ts';
import { isAllowed, serviceAccountOf } from '../support/tidemark/access-review.ts';
import { type HookReceiver, startHookReceiver } from '../support/tidemark/hook-receiver.ts';
import type { Loose } from '../support/tidemark/kubectl.ts';
import { lockTable } from '../support/tidemark/lock-table.ts';
import { backupRun, logicalPolicy } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

const note = (word: string) => ({
  exec: { command: ['psql', '-U', 'postgres', '-h', '127.0.0.1', '-qc', `insert into notes values ('${word}')`] },
});
const withReason = (reason: string) =>
  expect.arrayContaining([expect.objectContaining({ type: 'Succeeded', status: 'False', reason })]);
const secretWord = 'canary-authorization-7Yq2';

describe('hooks', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let receiver: HookReceiver;

  beforeAll(async () => {
    scenario = await startScenario('hooks');
    const { namespace, kubectl, images } = scenario;
    [postgres, receiver] = await Promise.all([
      scenario.postgres(),
      startHookReceiver(kubectl, namespace, images['agent'] ?? ''),
    ]);
    await postgres.psql('create table notes (word text)');
    await postgres.psql('create table public.slow as select 1 as one');
    await scenario.apply(...scenario.repositoryObjects(), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'receiver', namespace },
      stringData: { authorization: `Bearer ${secretWord}` },
    });
  });

  test('a command is refused before anything is touched, with the command that grants it', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await apply('refused', { preBackup: [http('/refused')], postBackup: [trusting(note('never'))] });
    await scenario.apply(backupRun(namespace, 'refused', { policyRef: { name: 'refused' } }));
    const { status } = await scenario.finished('backuprun', 'refused');
    expect(status).toMatchObject({ phase: 'Failed', conditions: withReason('ExecHookForbidden') });
    const account = serviceAccountOf(namespace, 'tidemark-agent');
    const exec = { namespace, verb: 'create', resource: 'pods', subresource: 'exec', name: 'orders-db-0' };
    expect(await isAllowed(kubectl, account, exec)).toBe(false);
    expect((await receiver.received()).filter(({ path }) => path === '/refused')).toEqual([]);
    // Always is always: it was tried, and could not be done either.
    await scenario.condition('backuprun', 'refused', { type: 'HooksSucceeded', status: 'False', reason: 'HookFailed' });

    const documented = readPage('docs/hooks.md').blocks.find(({ text }) =>
      text.startsWith('kubectl create rolebinding'),
    );
    const command = documented?.text.trim().replaceAll('shop', namespace) ?? '';
    expect(status?.error).toContain(command);
    await kubectl.run(command.split(' ').slice(1));
    expect(await isAllowed(kubectl, account, exec)).toBe(true);
  });

  test('run around a backup: a command in the real server, and a request with a secret, in their order', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await apply('around', {
      preBackup: [trusting(note('before'))],
      postBackup: [
        trusting(note('after')),
        { ...http('/done/canary-path?token=canary-query'), when: 'OnSuccess' },
        { ...http('/bad'), when: 'OnFailure' },
      ],
    });
    await scenario.apply(backupRun(namespace, 'around', { policyRef: { name: 'around' } }));
    const run = await scenario.finished('backuprun', 'around');
    expect(run.status).toMatchObject({ phase: 'Completed' });
    await scenario.condition('backuprun', 'around', { type: 'HooksSucceeded', status: 'True', reason: 'HooksRan' });
    await scenario.condition('backuppolicy', 'around', { type: 'HooksSucceeded', status: 'True' });
    expect((await postgres.psql('select word from notes')).split('\n')).toEqual(['before', 'after']);
    expect(hooksOf(run)).toMatchObject({
      phase: 'Completed',
      pod: 'orders-db-0',
      results: [
        { hook: 'preBackup[0]', state: 'Succeeded', what: 'env in pod orders-db-0' },
        { hook: 'postBackup[0]', state: 'Succeeded' },
        { hook: 'postBackup[1]', state: 'Succeeded' },
      ],
    });
    const came = (await receiver.received()).filter(({ path }) => path.startsWith('/done'));
    expect(came).toMatchObject([{ method: 'POST', authorization: `Bearer ${secretWord}` }]);
    expect(JSON.parse(came[0]?.body ?? '')).toMatchObject({
      version: 1,
      ...{ namespace, policy: 'around', run: 'around', phase: 'Completed', backupID: run.status?.backupID },
    });
    // Its agent ran them: no other Job was needed.
    expect(await kubectl.get('job', 'hooks-around', namespace)).toBeUndefined();
    await expectNoSecretTold('around');
  });

  test('before a backup that fail, forbid it; those after it that fail are told, and the backup stays good', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await apply('forbidding', {
      preBackup: [{ exec: { command: ['sh', '-c', 'echo not today; exit 7'] } }],
      postBackup: [http('/fail')],
    });
    await scenario.apply(backupRun(namespace, 'forbidden', { policyRef: { name: 'forbidding' } }));
    const { status } = await scenario.finished('backuprun', 'forbidden');
    expect(status).toMatchObject({ phase: 'Failed', conditions: withReason('PreBackupHookFailed') });
    expect(status?.error).toMatch(/preBackup\[0\].*exit code 7.*not today.*nothing was stored/);
    expect(status?.backupID).toBeUndefined();

    await apply('complaining', { postBackup: [http('/fail')] });
    await scenario.apply(backupRun(namespace, 'complained', { policyRef: { name: 'complaining' } }));
    const run = await scenario.finished('backuprun', 'complained');
    expect(run.status).toMatchObject({ phase: 'Completed', error: '' });
    await scenario.condition('backuprun', 'complained', {
      type: 'HooksSucceeded',
      status: 'False',
      reason: 'HookFailed',
    });
    await scenario.condition('backuppolicy', 'complaining', { type: 'HooksSucceeded', status: 'False' });
    await until('the failed hook to be told', async () => {
      const events = await scenario.kubectl.list<Loose & { reason: string; note: string }>(
        'events.events.k8s.io',
        namespace,
      );
      return events.some(({ reason, note: said }) => reason === 'HookFailed' && said.includes('answered 500'));
    });
  });

  test('that always come after a backup are run when its agent was killed, once, in the pod of those before it', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await apply('killed', {
      preBackup: [trusting(note('paused'))],
      postBackup: [trusting(note('resumed')), { ...http('/killed'), when: 'OnFailure' }, http('/always')],
    });
    const lock = await lockTable(postgres, 'postgres', 'public.slow');
    try {
      await scenario.apply(backupRun(namespace, 'killed', { policyRef: { name: 'killed' } }));
      await until('the dump to wait for the lock', async () => {
        const waiting = await postgres.psql('select count(*) from pg_locks where not granted');
        return waiting !== '0';
      });
      await kubectl.run(['delete', 'pods', '--selector', 'tidemark.dev/run=killed', '--grace-period=0', '--force'], {
        namespace,
      });
      expect((await scenario.finished('backuprun', 'killed')).status).toMatchObject({ phase: 'Failed' });
    } finally {
      await lock.release();
    }
    const run = await scenario.condition('backuprun', 'killed', { type: 'HooksSucceeded', status: 'True' }, 180);
    expect(hooksOf(run)).toMatchObject({ phase: 'Failed', pod: 'orders-db-0' });
    expect((await postgres.psql("select word from notes where word in ('paused', 'resumed')")).split('\n')).toEqual([
      'paused',
      'resumed',
    ]);
    const came = (await receiver.received()).filter(({ path }) => ['/killed', '/always'].includes(path));
    expect(came.map(({ path }) => path)).toEqual(['/killed', '/always']);
    expect(JSON.parse(came[0]?.body ?? '')).toMatchObject({ phase: 'Failed', run: 'killed' });
    await until(
      'the one Job of the hooks to be counted as done',
      async () => (await kubectl.get('job', 'hooks-killed', namespace))?.status?.succeeded === 1,
    );
    await expectNoSecretTold('killed');
  });

  test('that come after a run that is deleted while it works are run before it goes', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await apply('deleted', { postBackup: [http('/deleted')] });
    const lock = await lockTable(postgres, 'postgres', 'public.slow');
    try {
      await scenario.apply(backupRun(namespace, 'deleted', { policyRef: { name: 'deleted' } }));
      await until('the dump to wait for the lock', async () => {
        const waiting = await postgres.psql('select count(*) from pg_locks where not granted');
        return waiting !== '0';
      });
      await kubectl.run(['delete', 'backuprun', 'deleted', '--timeout=180s'], { namespace, timeoutSeconds: 200 });
    } finally {
      await lock.release();
    }
    const came = (await receiver.received()).filter(({ path }) => path === '/deleted');
    expect(came).toHaveLength(1);
    expect(JSON.parse(came[0]?.body ?? '')).toMatchObject({ phase: 'Cancelled', run: 'deleted' });
  });

  /** The server of the tests lets nobody in without its password. */
  function trusting({ exec: { command } }: ReturnType<typeof note>) {
    return { exec: { command: ['env', `PGPASSWORD=${postgres.password}`, ...command] } };
  }

  function http(path: string) {
    const secretKeyRef = { name: 'receiver', key: 'authorization' };
    return {
      http: { url: receiver.url(path), headers: [{ name: 'Authorization', secretKeyRef }] },
      timeoutSeconds: 20,
    };
  }

  async function apply(name: string, hooks: object): Promise<void> {
    await scenario.apply(logicalPolicy(scenario.namespace, { hooks }, name));
  }

  async function expectNoSecretTold(run: string): Promise<void> {
    const { namespace, kubectl } = scenario;
    const status = JSON.stringify((await kubectl.get('backuprun', run, namespace))?.status);
    const log = await kubectl.run(['logs', '--selector', `tidemark.dev/run=${run}`, '--tail=-1'], { namespace });
    const events = JSON.stringify(await kubectl.list('events.events.k8s.io', namespace));
    for (const told of [status, log, events]) expect(told).not.toMatch(/canary/);
    for (const told of [status, log, events]) expect(told).not.toContain(postgres.password);
  }
});

const hooksOf = ({ status }: Loose) => status?.['hooks'] as HooksStatus | undefined;
