import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { backupRunStatus } from '../../../../src/api/backup-run.ts';
import { adoptFacts } from '../../../../src/controllers/backup-run/adopt-facts.ts';
import { decide } from '../../../../src/controllers/backup-run/decide.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { agent, ended, foundJob, now, pod, policy, repository, run } from '../objects.ts';

/** What agents of a release have written, kept as they wrote it: an upgrade finds their runs in flight. */
const kept = async (file: string) =>
  JSON.parse(
    await readFile(new URL(`../../../support/data/release-0.1.0/${file}.json`, import.meta.url), 'utf8'),
  ) as Record<string, unknown>;

test('a status that an agent of 0.1.0 wrote is valid, and completes its run', async () => {
  const status = await kept('agent-status');
  expect(backupRunStatus.partial().parse(status)).toMatchObject(status);
  const decision = decide({
    run: run({ status: { ...status, phase: 'Running', jobName: 'by-hand' } }),
    policy: policy(),
    repositories: [repository()],
    hosts: ['db.example'],
    account: undefined,
    others: [],
    job: foundJob('by-hand', { finished: ended('Complete') }),
    jobExists: true,
    activePods: [],
    agent,
    now,
  });
  expect(decision.create).toBeUndefined();
  expect(decision.status).toMatchObject({ phase: 'Completed', error: '' });
});

test('what an agent of 0.1.0 left with the kubelet is put into the status whole', async () => {
  const said = await kept('termination-message');
  const terminated = { exitCode: 0, reason: 'Completed', message: JSON.stringify(said) };
  const pods = [
    pod('by-hand-x', {
      metadata: { creationTimestamp: '2026-03-10T11:59:40Z' },
      status: { phase: 'Succeeded', containerStatuses: [{ name: 'agent', state: { terminated } }] },
    }),
  ];
  const cluster = new FakeCluster({ runs: [run()], pods });
  const context = { ...cluster.context, caches: { ...cluster.context.caches, pods: { byIndex: () => pods } } };
  const signal = new AbortController().signal;
  expect(await adoptFacts(context as never, run(), 'by-hand', signal)).toBe(true);
  expect(cluster.written('/status')).toMatchObject({ status: said });
});
