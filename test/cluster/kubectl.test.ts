import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { bundled } from '../support/bundled.ts';
import { projectRoot } from '../support/images/project-root.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { Clockwork, type Moment, startArchiving } from '../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

/** What a person does with the plugin, in one namespace and with one server, on the real API server. */
describe('kubectl tidemark', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let clockwork: Clockwork;
  let good: Moment;

  beforeAll(async () => {
    scenario = await startScenario('plugin');
    postgres = await scenario.postgres();
    await postgres.psql('create database shop');
    await postgres.psql('create table orders as select generate_series(1, 100) as id', 'shop');
    await startArchiving(scenario, 'Archive', {
      retention: { recoveryWindow: '7d' },
      // As people have it: a try that fails is followed by another.
      jobTemplate: { backoffLimit: 2 },
    });
    clockwork = new Clockwork(postgres);
    await clockwork.begin();
  });

  const tidemark = async (...args: readonly string[]) => {
    const program = await bundled(join(projectRoot, 'src/cmd/kubectl-tidemark.ts'));
    const where = ['--namespace', scenario.namespace, '--kubeconfig', scenario.kubeconfig];
    const { exitCode, stdout, stderr } = await execa(process.execPath, [program, ...args, ...where], { reject: false });
    return { code: exitCode, out: stdout, err: stderr };
  };

  test('the YAML of --dry-run is what kubectl takes', async () => {
    explainFailure(scenario);
    const { code, out } = await tidemark(
      'backup',
      'orders',
      '--method',
      'logical',
      '--name',
      'by-kubectl',
      '--dry-run',
    );
    expect(code).toBe(0);
    expect(parse(out)).toMatchObject({ kind: 'BackupRun', metadata: { name: 'by-kubectl' } });
    await scenario.kubectl.apply(out);
    expect((await scenario.finished('backuprun', 'by-kubectl')).status?.phase).toBe('Completed');
  });

  test('backup --wait says how it ended', async () => {
    explainFailure(scenario);
    const { code, out, err } = await tidemark('backup', 'orders', '--method', 'physical', '--name', 'base', '--wait');
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining('BackupRun base is created.') });
    expect(out).toMatch(/^base: the Physical backup is complete in .* stored of .*, offsite, .*-physical-full\.$/);
    good = await clockwork.tick();
    await postgres.psql('delete from orders', 'shop');
    await clockwork.archived(scenario);
  });

  test('runs, logs, hold and release', async () => {
    explainFailure(scenario);
    expect((await tidemark('runs', 'orders')).out).toMatch(/^base +orders +Physical +Full +Completed/m);
    expect((await tidemark('logs', 'base')).out).not.toBe('');
    expect(await tidemark('hold', 'base')).toMatchObject({ code: 0 });
    expect((await scenario.kubectl.get('backuprun', 'base', scenario.namespace))?.spec?.['hold']).toBe(true);
    // What it holds is its own: kubectl changes it as before, and so does the plugin again.
    await scenario.kubectl.run(['patch', 'backuprun', 'base', '--type=merge', '-p', '{"spec":{"hold":false}}'], {
      namespace: scenario.namespace,
    });
    expect(await tidemark('hold', 'base')).toMatchObject({ code: 0 });
    expect(await tidemark('release', 'base')).toMatchObject({ code: 0 });
    expect((await scenario.kubectl.get('backuprun', 'base', scenario.namespace))?.spec?.['hold']).toBe(false);
    expect(await tidemark('cancel', 'run/base')).toMatchObject({ code: 1 });
    expect(await tidemark('hold', 'nobody')).toMatchObject({ code: 3 });
  });

  test('restore brings one table back beside the live one', async () => {
    explainFailure(scenario);
    const line = [
      'restore',
      'by-kubectl',
      '--database',
      'shop=shop_before',
      '--table',
      'public.orders',
      '--yes',
      '--wait',
    ];
    const { code, err } = await tidemark(...line);
    expect({ code, err }).toMatchObject({ code: 0 });
    expect((await postgres.psql('select count(*) from orders', 'shop_before')).trim()).toBe('100');
  });

  test('recover --plan shows the plan and leaves nothing; --yes recovers to the moment', async () => {
    explainFailure(scenario);
    const line = ['recover', 'orders', '--to', good.time, '--instance', 'orders-back', '--size', '2Gi'];
    const plan = await tidemark(...line, '--plan');
    expect({ code: plan.code, err: plan.err }).toMatchObject({ code: 0 });
    expect(plan.out).toMatch(
      /^Target: .*\nInto: a new StatefulSet orders-back with 2Gi; .*\nThe plan:\n {2}1\. Lay base backup/,
    );
    await until('the plan to be gone', async () => {
      return (await scenario.kubectl.list('pitrrecoveries', scenario.namespace)).length === 0;
    });
    const { code, out, err } = await tidemark(...line, '--name', 'back', '--yes', '--wait');
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(out).toMatch(/^back: recovered in .* It answers at orders-back:5432\.$/);
    const recovered = ['exec', 'orders-back-0', '--', 'env', `PGPASSWORD=${postgres.password}`];
    const psql = [
      'psql',
      '-h',
      '127.0.0.1',
      '-U',
      'postgres',
      '-XqAt',
      '-d',
      'shop',
      '-c',
      'select count(*) from orders',
    ];
    expect((await scenario.kubectl.run([...recovered, ...psql], { namespace: scenario.namespace })).trim()).toBe('100');
  });

  test('a target that cannot be reached is refused, with the reason', async () => {
    explainFailure(scenario);
    const { code, err } = await tidemark(
      'recover',
      'orders',
      '--to',
      '2020-01-01T00:00:00Z',
      '--size',
      '2Gi',
      '--plan',
    );
    expect(code).toBe(1);
    expect(err).toContain('It cannot be done, and nothing was touched.');
  });

  test('status, timeline, report and doctor see all of that', async () => {
    explainFailure(scenario);
    expect((await tidemark('status', 'orders')).out).toContain('Restorable from:');
    const { out } = await tidemark('timeline', 'orders');
    expect(out).toMatch(/^WAL +━/m);
    expect(out).toContain('Restorable to any moment from ');
    expect((await tidemark('timeline', 'orders', '-o', 'html')).out).toMatch(/^<!doctype html>/);
    expect((await tidemark('report', 'orders', '-o', 'csv')).out).toMatch(
      /^[^,]+,orders,base,Physical,Full,Completed,/m,
    );
    const doctor = await until('the doctor to find nothing wrong', async () => {
      const seen = await tidemark('doctor', 'orders', '-o', 'json');
      return seen.code === 0 && seen;
    });
    const { policies } = JSON.parse(doctor.out) as {
      policies: readonly { checks: readonly { result: string; subject: string }[] }[];
    };
    expect(policies[0]?.checks.filter(({ result }) => result !== 'ok')).toEqual([
      expect.objectContaining({ subject: 'schedules', result: 'warning' }),
      expect.objectContaining({ subject: 'schedules', result: 'warning' }),
    ]);
  });
});
