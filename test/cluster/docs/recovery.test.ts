import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { backUpWhole, serverIn, untilReady } from '../../support/tidemark/recovered-server.ts';
import { Clockwork, type Moment, physicalRun, pitrRecovery } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

/** Every manifest and every command of the page is used, as a reader would, in the page's order. */
describe('what docs/recovery.md tells a person to type', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let clockwork: Clockwork;
  let good: Moment;
  const page: { unused: string[] } = { unused: [] };

  beforeAll(async () => {
    page.unused = codeBlocks(await readFile(new URL('../../../docs/recovery.md', import.meta.url), 'utf8'));
    scenario = await startScenario('docs');
    postgres = await scenario.postgres();
    await postgres.psql('create database orders');
    await postgres.psql('create table public.orders as select generate_series(1, 1234) as id', 'orders');
    await scenario.apply(...scenario.repositoryObjects(), adminSecret(scenario, postgres.password));
  });

  afterAll(() => expect(page.unused).toEqual([]));

  const block = (words: string): string => {
    const index = page.unused.findIndex((each) => each.includes(words));
    const [found] = index === -1 ? [] : page.unused.splice(index, 1);
    if (found === undefined) throw new Error(`docs/recovery.md has no further code block with ${words}`);
    return found;
  };
  const apply = ({ kubectl, namespace, images }: Scenario, words: string) =>
    kubectl.apply(
      block(words)
        .replaceAll('namespace: shop', `namespace: ${namespace}`)
        .replaceAll(/image: "?postgres:17"?/g, `image: ${images['postgres-17']}`)
        .replaceAll('"2026-11-21T10:15:00+01:00"', `"${good?.time}"`),
    );
  /** Gives what the commands print. */
  const type = async ({ kubectl, namespace }: Scenario, words: string, commands = block(words)) => {
    const printed: string[] = [];
    for (const line of commands.trim().split('\n')) {
      const [program, ...args] = wordsOf(line);
      expect(program).toBe('kubectl');
      printed.push(await kubectl.run(args.map((each) => (each === 'shop' ? namespace : each))));
    }
    return printed.join('\n');
  };
  const completed = async (name: string, of = scenario) => {
    const { status } = await of.finished('pitrrecovery', name, 240);
    expect(status).toMatchObject({ phase: 'Completed', error: '' });
    return status;
  };

  test('Protect: the policy archives, and says from when to when', async () => {
    explainFailure(scenario);
    await apply(scenario, 'kind: BackupPolicy');
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 240);
    await scenario.apply(physicalRun(scenario.namespace, 'base'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
    clockwork = new Clockwork(postgres);
    await clockwork.begin();
    good = await clockwork.tick();
    await postgres.psql('drop table public.orders', 'orders');
    await clockwork.archived(scenario);
    expect(await type(scenario, 'get backuppolicy')).toMatch(/^orders .*20\d\d-\d\d-\d\dT/m);
  });

  test('Recover: it is cancelled, and done again', async () => {
    explainFailure(scenario);
    const manifest = block('name: before-the-delete');
    page.unused.push(manifest);
    await apply(scenario, 'name: before-the-delete');
    const commands = block('--output wide').trim().split('\n');
    expect(commands).toHaveLength(2);
    await type(scenario, '', commands[1]);
    expect((await scenario.finished('pitrrecovery', 'before-the-delete')).status?.phase).toBe('Cancelled');
    await scenario.kubectl.run(['delete', 'pitr', 'before-the-delete'], { namespace: scenario.namespace });
    page.unused.push(manifest);
    await apply(scenario, 'name: before-the-delete');
    await completed('before-the-delete');
    expect(await type(scenario, '', commands[0])).toMatch(/^before-the-delete +Completed .*orders-recovered/m);
    const copy = serverIn(scenario, postgres, 'orders-recovered');
    expect(await copy.psql('select count(*) from public.orders', 'orders')).toBe('1234');
  });

  test('One table back', async () => {
    explainFailure(scenario);
    await apply(scenario, 'name: the-dropped-table');
    await completed('the-dropped-table');
    expect(await postgres.psql('select count(*) from public.orders', 'orders')).toBe('1234');
  });

  test('From the repository alone', async () => {
    explainFailure(scenario);
    const late = await clockwork.tick();
    await clockwork.archived(scenario);
    await apply(scenario, 'name: after-the-fire');
    await completed('after-the-fire');
    await untilReady(scenario, 'orders-db-2');
    const copy = serverIn(scenario, postgres, 'orders-db-2');
    expect(await copy.psql('select value from clockwork')).toBe(String(late.value));
  });

  test('Undo: along the timeline of before, to the end of what was archived', async () => {
    explainFailure(scenario);
    const late = await clockwork.tick();
    await clockwork.archived(scenario);
    const target = { inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db' } };
    const value = () => postgres.psql('select value from clockwork');
    const recover = async (name: string, recoveryTarget: object) => {
      await scenario.apply(pitrRecovery(scenario.namespace, name, { recoveryTarget, target }));
      const status = await completed(name);
      await untilReady(scenario, 'orders-db');
      return status;
    };
    expect(await recover('a-mistake', { targetTime: good.time })).toMatchObject({
      plan: { timeline: 1 },
      reached: { timeline: 2 },
    });
    expect(await value()).toBe(String(good.value));
    expect(await recover('undo-it', { targetTLI: 1 })).toMatchObject({
      plan: { timeline: 1 },
      reached: { timeline: 3 },
    });
    expect(await value()).toBe(String(late.value));
  });

  test('Undo: the two directories are exchanged', async () => {
    const own = await startScenario('docs-undo');
    explainFailure(own);
    const server = await own.postgres();
    await server.psql("create table notes (what text); insert into notes values ('in the backup')");
    const backupID = await backUpWhole(own);
    await server.psql("insert into notes values ('later')");
    await own.apply(
      pitrRecovery(own.namespace, 'before-the-delete', {
        recoveryTarget: { targetImmediate: true, backupID },
        target: { inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db' } },
      }),
    );
    expect(await completed('before-the-delete', own)).toMatchObject({ replicas: 1, reached: { timeline: 2 } });
    await untilReady(own, 'orders-db');
    const notes = "select string_agg(what, ', ' order by what) from notes";
    expect(await server.psql(notes)).toBe('in the backup');
    await type(own, 'scale statefulset orders-db --replicas 0');
    await apply(own, 'name: undo-recovery');
    await type(own, 'wait --for=jsonpath');
    await untilReady(own, 'orders-db');
    expect(await server.psql(notes)).toBe('in the backup, later');
  });
});

function codeBlocks(markdown: string): string[] {
  return [...markdown.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, block = '']) => block);
}

/** A command line as a shell takes it apart, where nothing but single quotes is special. */
function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''));
}

function adminSecret({ namespace }: Scenario, password: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'orders-db-admin', namespace },
    type: 'kubernetes.io/basic-auth',
    stringData: { username: 'postgres', password },
  };
}
