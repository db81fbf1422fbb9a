import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { kinds } from '../../../src/api/kinds.ts';
import { ensureDebianPackages } from '../../support/cluster/packages.ts';
import { root } from '../../support/docs/page.ts';
import { type Answer, judgeHealth } from '../../support/gitops/health.ts';
import { runHealthScript } from '../../support/gitops/lua.ts';
import { cases } from './cases.ts';

const sample = (path: string) => parse(readFileSync(join(root, 'manifests/samples/gitops', path), 'utf8'));

describe('Argo CD, by the scripts of argocd-cm.yaml, takes', () => {
  const { data } = sample('argocd/argocd-cm.yaml') as { readonly data: Readonly<Record<string, string>> };
  const keyOf = (kind: unknown) => `resource.customizations.health.tidemark.dev_${kind}`;
  beforeAll(async () => await ensureDebianPackages(['lua5.1'], () => undefined), 300_000);

  test.each(cases.map(({ what, argo, object }) => [what, argo, object] as const))(
    '%s for %s',
    async (_, argo, object) => {
      expect(await runHealthScript(data[keyOf(object['kind'])] ?? '', object)).toMatchObject({ status: argo });
    },
  );

  test('each of the five kinds, and none besides', () => {
    expect(Object.keys(data).sort()).toEqual(kinds.map(({ kind }) => keyOf(kind)).sort());
  });

  test('what has no status at all for something that goes on', async () => {
    for (const script of Object.values(data))
      expect(await runHealthScript(script, { metadata: { generation: 1 } })).toMatchObject({ status: 'Progressing' });
  });

  test('and says the reason and the message', async () => {
    const failed = cases.find(({ what }) => what === 'BackupRun, Failed');
    const script = data[keyOf('BackupRun')] ?? '';
    expect(await runHealthScript(script, failed?.object ?? {})).toEqual({
      status: 'Degraded',
      message: 'StoreFull: there is no room',
    });
  });
});

interface Check {
  readonly kind: string;
  readonly inProgress?: string;
  readonly failed?: string;
  readonly current: string;
}

/** In Flux's order, after the generation: in progress, failed, current, and else in progress. */
function fluxVerdict({ values }: Answer, object: { readonly metadata?: Meta; readonly status?: Meta }): string {
  const { observedGeneration = object.metadata?.generation } = object.status ?? {};
  if (observedGeneration !== object.metadata?.generation || values['inProgress']) return 'InProgress';
  if (values['failed']) return 'Failed';
  return values['current'] ? 'Current' : 'InProgress';
}

interface Meta {
  readonly generation?: number;
  readonly observedGeneration?: number;
}

describe('Flux, by the expressions of flux/policies.yaml, takes', () => {
  const { spec } = sample('flux/policies.yaml') as { readonly spec: { readonly healthCheckExprs: readonly Check[] } };
  const asked = cases.flatMap((each) => {
    const check = spec.healthCheckExprs.find(({ kind }) => kind === each.object['kind']);
    // What is being deleted is not asked by expressions.
    if (check === undefined || each.kstatus === 'Terminating') return [];
    const { failed = 'false', current, inProgress = 'false' } = check;
    return [{ ...each, expressions: { failed, current, inProgress } }];
  });
  let answers: readonly Answer[];
  beforeAll(async () => {
    answers = await judgeHealth(asked.map(({ object, expressions }) => ({ object, expressions })));
  }, 600_000);

  // The expressions are there to say at once what kstatus leaves to the timeout: a repository that cannot be used.
  const wanted = ({ what, kstatus }: (typeof asked)[number]) =>
    what === 'BackupRepository that cannot be used' ? 'Failed' : kstatus;

  test.each(asked.map((each, index) => [each.what, wanted(each), index] as const))('%s for %s', (_, verdict, index) => {
    const [answer, given] = [answers[index], asked[index]];
    expect(answer?.errors).toEqual({});
    expect(answer && given && fluxVerdict(answer, given.object)).toBe(verdict);
  });

  test('only kinds that are there', () => {
    const known = kinds.map(({ kind }) => kind as string);
    expect(spec.healthCheckExprs.every(({ kind }) => known.includes(kind))).toBe(true);
  });
});

test('what is applied by one of these tools is never made anew by it', () => {
  for (const path of ['argocd/policies.yaml', 'flux/policies.yaml']) {
    const text = readFileSync(join(root, 'manifests/samples/gitops', path), 'utf8').replaceAll(/^ *#.*$/gm, '');
    expect(text).not.toMatch(/force: true|Force=true|Replace=true/);
  }
});
