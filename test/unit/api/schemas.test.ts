import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { type CustomResourceDefinition, customResourceDefinition } from '../../../src/api/crd.ts';
import { kinds } from '../../../src/api/kinds.ts';
import { changed, kindOf, manifests } from './manifests.ts';
import { refusals } from './refusals.ts';

describe('the schemas take every documented form', () => {
  it.each(manifests().map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest] as const))(
    '%s',
    (_, { kind, spec }) => {
      expect(problems(kindOf(kind).spec.safeParse(spec))).toEqual([]);
    },
  );

  it('leaves nothing of a documented form out', () => {
    for (const { kind, metadata, spec } of manifests()) {
      expect(kindOf(kind).spec.parse(spec), metadata.name).toMatchObject(spec);
    }
  });

  it('gives the same again for its own output', () => {
    for (const { kind, spec } of manifests()) {
      const once = kindOf(kind).spec.parse(spec);
      expect(kindOf(kind).spec.parse(once)).toEqual(once);
    }
  });
});

describe('the schemas refuse, and say what and why', () => {
  it.each(refusals)('$manifest with $path $value', ({ manifest, path, value, field, message }) => {
    const { kind, spec } = changed(manifest, path, value);
    const found = problems(kindOf(kind).spec.safeParse(spec));
    expect(
      found.some((problem) => problem.field.startsWith(field) && problem.message.includes(message)),
      JSON.stringify(found),
    ).toBe(true);
  });

  it('has an example for every rule that the API server checks at creation', () => {
    const messages = kinds
      .flatMap((kind) => rules(customResourceDefinition(kind)))
      .filter(({ rule }) => !rule.includes('oldSelf'));
    const shown = refusals.map(({ message }) => message).filter((message) => message !== '');
    const missing = messages.filter(({ message }) => !shown.some((part) => message.includes(part)));
    expect([...new Set(missing.map(({ message }) => message))]).toEqual([]);
  });
});

function problems(
  result: z.ZodSafeParseResult<unknown>,
): readonly { readonly field: string; readonly message: string }[] {
  return (result.error?.issues ?? []).map(({ path, message }) => ({ field: fieldOf(path), message }));
}

/** As the API server writes it: schedules[0].cron. */
function fieldOf(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
}

function rules(crd: CustomResourceDefinition): readonly { readonly rule: string; readonly message: string }[] {
  const found: { rule: string; message: string }[] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'x-kubernetes-validations') found.push(...value);
      else walk(value);
    }
  };
  walk(crd.spec.versions[0]?.schema.openAPIV3Schema.properties?.spec);
  return found;
}
