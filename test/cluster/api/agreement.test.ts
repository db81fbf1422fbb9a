import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { type Kind, kinds } from '../../../src/api/kinds.ts';
import { type StructuralSchema, structural } from '../../../src/api/structural.ts';
import { anyValue, near, spoiled } from '../../unit/api/arbitrary.ts';
import { manifests } from '../../unit/api/manifests.ts';
import { type Answer, useApiServer } from './api-server.ts';

// TIDEMARK_SEED repeats a run. Some hundred objects a kind, sixteen in flight.
const seed = Number(process.env.TIDEMARK_SEED ?? Date.now() % 1_000_000_007);
const batches = { spec: 24, status: 12 };
const inFlight = 16;
const server = useApiServer();

describe(`zod and the API server say the same (TIDEMARK_SEED=${seed})`, () => {
  it.each(kinds.map((kind) => [kind.kind, kind] as const))(
    'of the spec of a %s, and nothing is pruned',
    async (_, kind) => {
      const accepted = await compare(kind.spec, specsOf(kind), batches.spec, async (spec) => {
        const answer = await server.admit({ kind: kind.kind, metadata: { name: 'candidate' }, spec });
        return { ...answer, value: answer.object?.spec };
      });
      expect(accepted, 'the objects must be worth comparing').toBeGreaterThan((batches.spec * inFlight) / 10);
    },
  );

  it.each(kinds.map((kind) => [kind.kind, kind] as const))(
    'of the status of a %s, and nothing is pruned',
    async (_, kind) => {
      const [first] = manifests().filter((manifest) => manifest.kind === kind.kind);
      if (first === undefined) throw new Error(`There is no manifest of a ${kind.kind}`);
      const stored = await server.create({ ...first, metadata: { name: 'reported' } });
      await compare(kind.status, statusesOf(kind), batches.status, async (status) => {
        const answer = await server.admitStatus(kind.kind, stored.metadata.name, status);
        return { ...answer, value: answer.object?.status };
      });
    },
  );
});

type Judged = Answer & { readonly value: unknown };

/** Returns how many objects both took. */
async function compare(
  schema: z.ZodType,
  values: fc.Arbitrary<unknown>,
  numRuns: number,
  ask: (value: unknown) => Promise<Judged>,
): Promise<number> {
  let accepted = 0;
  const agree = async (value: unknown) => {
    const [parsed, answer] = [schema.safeParse(value), await ask(value)];
    const ours = parsed.success ? { value: asJson(parsed.data) } : { refused: true };
    const theirs = answer.refusal === undefined ? { value: answer.value } : { refused: true };
    const why = `${JSON.stringify(value)}\nzod: ${parsed.error?.message ?? 'accepted'}\nAPI server: ${answer.refusal ?? 'accepted'}`;
    expect(theirs, why).toEqual(ours);
    if (parsed.success) accepted += 1;
  };
  const batch = fc.array(values, { minLength: inFlight, maxLength: inFlight });
  await fc.assert(
    fc.asyncProperty(batch, async (each) => {
      await Promise.all(each.map(agree));
    }),
    { seed, numRuns, interruptAfterTimeLimit: 240_000, markInterruptAsFailure: true },
  );
  return accepted;
}

function specsOf(kind: Kind): fc.Arbitrary<unknown> {
  const schema = structural(kind.spec);
  const documented = manifests().filter((manifest) => manifest.kind === kind.kind);
  return mixed(schema, fc.oneof(...documented.map(({ spec }) => near(schema, spec))));
}

function statusesOf(kind: Kind): fc.Arbitrary<unknown> {
  const schema = structural(kind.status);
  return mixed(schema, anyValue(schema));
}

function mixed(schema: StructuralSchema, usual: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 5, arbitrary: usual },
    { weight: 2, arbitrary: anyValue(schema) },
    { weight: 3, arbitrary: spoiled(usual) },
  );
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
