import { beforeAll, describe, expect, test } from 'vitest';
import { customResourceDefinition } from '../../../src/api/crd.ts';
import { kinds } from '../../../src/api/kinds.ts';
import { type Answer, ensureHealthProgram, judgeHealth } from '../../support/gitops/health.ts';
import { cases } from './cases.ts';

/** By kstatus itself (sigs.k8s.io/cli-utils), from statuses that our own controllers write. */
describe('kstatus takes', () => {
  let answers: readonly Answer[];
  beforeAll(async () => {
    await ensureHealthProgram(() => undefined);
    answers = await judgeHealth(cases.map(({ object }) => ({ object })));
  }, 600_000);

  test.each(cases.map(({ what, kstatus }, index) => [what, kstatus, index] as const))(
    '%s for %s',
    (_, kstatus, index) => {
      expect(answers[index]).toMatchObject({ status: kstatus });
    },
  );
});

test('what the operator has not looked at has a status that says so, in every kind', () => {
  for (const kind of kinds) {
    const [version] = customResourceDefinition(kind).spec.versions;
    const unseen = { observedGeneration: -1 };
    expect(version?.schema.openAPIV3Schema.properties?.['status']?.default).toEqual(unseen);
    expect(kind.status.safeParse(unseen).error).toBeUndefined();
  }
});
