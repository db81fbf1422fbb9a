import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { customResourceDefinition } from '../../../src/api/crd.ts';
import { kinds } from '../../../src/api/kinds.ts';
import { integerOrText, list, mapOf, patterned, text } from '../../../src/api/schema.ts';
import { type StructuralSchema, structural } from '../../../src/api/structural.ts';

const root = join(import.meta.dirname, '../../..');

describe('the committed CustomResourceDefinitions', () => {
  it('are what the schemas generate, in crds and in the chart', async () => {
    const { exitCode, stderr } = await execa('node', ['src/cmd/crdgen.ts', '--check'], { cwd: root, reject: false });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });

  it('say the same to a reader of YAML 1.1, as Kubernetes is', () => {
    for (const kind of kinds) {
      const file = readFileSync(join(root, 'crds', `tidemark.dev_${kind.plural}.yaml`), 'utf8');
      expect(parse(file, { version: '1.1' })).toEqual(JSON.parse(JSON.stringify(customResourceDefinition(kind))));
    }
  });

  it('are one a kind', () => {
    expect(readdirSync(join(root, 'crds')).sort()).toEqual(
      kinds.map(({ plural }) => `tidemark.dev_${plural}.yaml`).sort(),
    );
  });

  it.each(kinds.map((kind) => [kind.kind, kind] as const))(
    '%s has a status subresource, a short name, a category and columns',
    (_, kind) => {
      const { names, versions } = customResourceDefinition(kind).spec;
      expect(names).toMatchObject({ shortNames: [kind.shortName], categories: ['tidemark'] });
      expect(versions[0]).toMatchObject({ served: true, storage: true, subresources: { status: {} } });
      expect(versions[0]?.additionalPrinterColumns.at(-1)).toMatchObject({ name: 'Age', type: 'date' });
    },
  );
});

describe('kubectl explain', () => {
  it.each(kinds.map((kind) => [kind.kind, kind] as const))(
    'says a sentence about every field of the spec of a %s',
    (_, kind) => {
      const spec = customResourceDefinition(kind).spec.versions[0]?.schema.openAPIV3Schema.properties?.spec;
      // What Kubernetes itself documents is told by its name: a pod's affinity, tolerations, resources.
      const silent = undescribed(spec ?? {}, '').filter(
        (path) => !/^jobTemplate\.(affinity|tolerations|resources|imagePullSecrets)/.test(path),
      );
      expect(silent).toEqual([]);
    },
  );
});

function undescribed(schema: StructuralSchema, path: string): readonly string[] {
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, field]) => [path === '' ? name : `${path}.${name}`, field] as const,
  );
  const here = fields.filter(([, field]) => field.description === undefined).map(([name]) => name);
  const items = schema.items === undefined ? [] : undescribed(schema.items, `${path}[]`);
  return [...here, ...items, ...fields.flatMap(([name, field]) => undescribed(field, name))];
}

describe('a structural schema', () => {
  it('carries marks through optional, default and prefault', () => {
    const named = z
      .array(z.object({ name: text(9) }))
      .max(2)
      .meta({ 'x-kubernetes-list-type': 'map' });
    const schema = structural(z.object({ a: named.optional(), b: named.default([]), c: named.prefault([]) }));
    expect(Object.values(schema.properties ?? {}).map((node) => node['x-kubernetes-list-type'])).toEqual([
      'map',
      'map',
      'map',
    ]);
    expect(schema.required).toBeUndefined();
  });

  it('writes a default with the defaults of its fields', () => {
    const inner = z.object({ level: z.int().min(1).max(9).default(3), name: text(5).default('x') });
    const schema = structural(z.object({ inner: inner.prefault({ level: 1 }) }));
    expect(schema.properties?.inner?.default).toEqual({ level: 1, name: 'x' });
  });

  it('says how wide an integer is, and only the bounds that the schema set', () => {
    const schema = structural(
      z.object({ narrow: z.int().min(0).max(9), wide: z.int().min(0), literal: z.literal(true) }),
    );
    expect(schema.properties).toEqual({
      narrow: { type: 'integer', format: 'int32', minimum: 0, maximum: 9 },
      wide: { type: 'integer', format: 'int64', minimum: 0 },
      literal: { type: 'boolean', enum: [true] },
    });
  });

  it('knows one union: an integer or a string', () => {
    const schema = structural(z.object({ size: integerOrText(z.int().min(0), patterned('^[0-9]+Gi$', 9, '')) }));
    expect(schema.properties?.size).toEqual({
      'x-kubernetes-int-or-string': true,
      minimum: 0,
      pattern: '^[0-9]+Gi$',
      maxLength: 9,
    });
  });

  it('bears the sentences of its documentation, each of which must have a field', () => {
    const schema = z.object({ a: list(z.object({ b: text(1) }), 2) });
    expect(structural(schema, { 'a[].b': 'A letter.' }).properties?.a?.items?.properties?.b?.description).toBe(
      'A letter.',
    );
    expect(() => structural(schema, { 'a[].c': 'Not there.' })).toThrow('a[].c');
  });

  it.each([
    ['a string without a bound', z.object({ a: z.object({ b: z.string() }) }), 'a.b: a string needs maxLength'],
    ['a list without a bound', z.object({ a: z.array(text(1)) }), 'a: a list needs maxItems'],
    ['a map without a bound', z.object({ a: z.record(z.string(), text(1)) }), 'a: a map needs maxProperties'],
    ['an item without a bound', z.object({ a: list(z.string(), 2) }), 'a[]: a string needs maxLength'],
    ['a value without a bound', z.object({ a: mapOf(z.string(), 2) }), 'a{}: a string needs maxLength'],
    ['a union', z.object({ a: z.union([text(1), z.boolean()]) }), 'a: anyOf has no place'],
    [
      'an integer or any string',
      z.object({ a: integerOrText(z.int(), text(1)) }),
      'a: an integer or a string needs a plain pattern',
    ],
    ['a lookahead', z.object({ a: patterned('^(?!x)y$', 9, '') }), 'a: a pattern means another thing to RE2'],
    ['a class of Perl', z.object({ a: patterned('^\\d$', 9, '') }), 'a: a pattern means another thing to RE2'],
    ['a fraction', z.object({ a: z.number() }), 'a: type number is not used'],
  ])('is refused with the field named: %s', (_, schema, message) => {
    expect(() => structural(schema)).toThrow(message);
  });
});
