import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Reader, startReader } from '../../support/docs/follow.ts';
import { type Block, readPage } from '../../support/docs/page.ts';
import { lockTable } from '../../support/tidemark/lock-table.ts';
import { backupRun } from '../../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { serverIn } from '../../support/tidemark/recovered-server.ts';
import { Clockwork, type Moment, physicalRun, pitrRecovery, startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

const own = ({ fate }: Block) => fate?.kind === 'test' && fate.test === 'cluster/docs/kubectl';
const page = readPage('docs/kubectl.md').blocks.filter(own);
const readme = readPage('README.md').blocks.filter(own);

/** Each line with the plugin, under kubectl, on a terminal where a person says yes: in one namespace, with one server. */
describe('what docs/kubectl.md and README.md tell a person to type', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let reader: Reader & { readonly folder: string };
  let clockwork: Clockwork;
  let good: Moment;

  beforeAll(async () => {
    scenario = await startScenario('terminal');
    const { namespace } = scenario;
    postgres = await scenario.postgres();
    await postgres.psql('create database orders');
    await postgres.psql('create table public.orders as select generate_series(1, 1234) as id', 'orders');
    await startArchiving(scenario, 'Stream', {
      retention: { recoveryWindow: '14d' },
      schedules: [{ name: 'weekly-base', cron: '15 1 * * 0', timeZone: 'Europe/Amsterdam', method: 'Physical' }],
    });
    await scenario.apply(physicalRun(namespace, 'base'), backupRun(namespace, 'orders-nightly-29378580'));
    for (const name of ['base', 'orders-nightly-29378580'])
      expect((await scenario.finished('backuprun', name)).status).toMatchObject({ phase: 'Completed', error: '' });
    clockwork = new Clockwork(postgres);
    await clockwork.begin();
    good = await clockwork.tick();
    await clockwork.archived(scenario);
    await scenario.apply(pitrRecovery(namespace, 'before-the-delete', { target: { ephemeral: {} } }));
    expect((await scenario.finished('pitrrecovery', 'before-the-delete', 240)).status?.phase).toBe('Completed');
    const backupID = (await scenario.kubectl.get('backuprun', 'base', namespace))?.status?.backupID ?? '';
    const adapted = (text: string) =>
      text
        // The server of the tests has not lived for so long.
        .replace('"10 minutes ago"', `"${good.time}"`)
        .replace('20261121T001541Z-physical-full', backupID)
        .replace(/(--image )postgres:17/, `$1${scenario.images['postgres-17']}`);
    reader = await startReader(scenario, adapted, { atHome: true });
    await reader.answer(`kubectl config set-context --current --namespace ${namespace}`);
    await until('the doctor to find nothing wrong', async () =>
      reader.answer('kubectl tidemark doctor').then(
        () => true,
        () => false,
      ),
    );
  }, 600_000);
  afterAll(async () => {
    if (reader !== undefined) await rm(reader.folder, { recursive: true, force: true });
  });

  const linesOf = (heading: string, blocks = page) =>
    blocks.filter((block) => block.heading === heading).flatMap(({ text }) => text.split('\n'));
  const type = async (lines: readonly string[]) => {
    const printed: string[] = [];
    for (const line of lines) printed.push(await reader.answer(line));
    return printed;
  };
  const file = (name: string) => readFile(join(reader.folder, name), 'utf8');
  const rows = (database: string, server = postgres) => server.psql('select count(*) from public.orders', database);

  test('every block is in a chapter that is typed here', () => {
    expect(page.map(({ heading }) => heading)).toEqual([
      ...['See', 'Timeline', 'Report', 'Back up, keep, stop', 'Recover', 'Restore', 'Drill'],
    ]);
    expect(readme.map(({ heading }) => heading)).toEqual(['From the terminal']);
  });

  test('See', async () => {
    explainFailure(scenario);
    const [all, one, failed, logs, recovery, doctor] = await type(linesOf('See'));
    expect(all).toMatch(/^orders /m);
    expect(one).toContain('Restorable from:');
    expect(failed).not.toContain('base');
    expect(logs).not.toBe('');
    expect(recovery).not.toBe('');
    expect(doctor).toContain('ok');
  });

  test('Timeline', async () => {
    explainFailure(scenario);
    const [all, day] = await type(linesOf('Timeline'));
    expect(all).toMatch(/^WAL +[━=]/m);
    expect(day).toMatch(/^WAL +[━=]/m);
    expect(await file('orders.svg')).toMatch(/^<svg /);
    expect(await file('orders.html')).toMatch(/^<!doctype html>/);
  });

  test('Report', async () => {
    explainFailure(scenario);
    const [all] = await type(linesOf('Report'));
    expect(all).toContain('orders');
    expect(await file('november.csv')).toMatch(/^[^,]+,orders,base,Physical,Full,Completed,/m);
    expect(await file('report.html')).toMatch(/^<!doctype html>/);
  });

  test('Back up, keep, stop', async () => {
    explainFailure(scenario);
    const [backup = '', ...kept] = linesOf('Back up, keep, stop');
    expect(await reader.answer(backup)).toContain('the Physical backup is complete');
    // One that is under way for as long as a table is locked.
    const name = 'orders-manual-c4d9f';
    const lock = await lockTable(postgres, 'orders', 'public.orders');
    try {
      await scenario.apply(backupRun(scenario.namespace, name));
      await until('the run to be under way', async () => {
        const run = await scenario.kubectl.get('backuprun', name, scenario.namespace);
        return run?.status?.phase === 'Running';
      });
      await type(kept);
      expect((await scenario.finished('backuprun', name)).status).toMatchObject({ phase: 'Cancelled' });
    } finally {
      await lock.release();
    }
  });

  test('Recover', async () => {
    explainFailure(scenario);
    expect(await type(linesOf('Recover'))).toEqual([expect.stringContaining('It answers at orders-recovered:5432.')]);
    expect(await rows('orders', serverIn(scenario, postgres, 'orders-recovered'))).toBe('1234');
  });

  test.each(linesOf('Restore').map((line) => [line] as const))('Restore: %s', async (line) => {
    explainFailure(scenario);
    await type([line]);
    if (line.includes('orders_yesterday')) expect(await rows('orders_yesterday')).toBe('1234');
    else if (line.includes('orders-copy'))
      expect(await rows('orders', serverIn(scenario, postgres, 'orders-copy'))).toBe('1234');
    else expect(await rows('orders')).toBe('1234');
  });

  test.each(linesOf('Drill').map((line) => [line] as const))('Drill: %s', async (line) => {
    explainFailure(scenario);
    // A recovery objective is about a server that is written to.
    await clockwork.tick();
    await clockwork.archived(scenario);
    const [printed] = await type([line]);
    expect(printed).toMatch(line.includes('--rto') ? /Objectives: / : /: recovered in /);
  });

  test('README.md: the same story in five lines', async () => {
    explainFailure(scenario);
    // What the page's recovery has made would stand in the way, and its pods hold the claim.
    const remove = (...names: readonly string[]) =>
      scenario.kubectl.run(['delete', ...names, '--timeout=100s'], { namespace: scenario.namespace });
    await remove('pitrrecoveries', '--all');
    await remove('statefulset/orders-recovered', 'service/orders-recovered', 'pvc/data-orders-recovered-0');
    const printed = await type(linesOf('From the terminal', readme));
    expect(printed).toHaveLength(5);
    expect(printed[2]).toContain('It answers at orders-recovered:5432.');
  });
});
