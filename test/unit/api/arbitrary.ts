import fc from 'fast-check';
import type { StructuralSchema } from '../../../src/api/structural.ts';

/**
 * Random values of a CRD's schema: of the right shape for the most part, on the bounds and just beyond them now and then,
 * and with exactly one member of a union. What breaks the other rules comes by chance.
 */
export function anyValue(schema: StructuralSchema): fc.Arbitrary<unknown> {
  if (schema['x-kubernetes-int-or-string'] === true) return fc.oneof(integerOf(schema), stringOf(schema));
  if (schema.enum !== undefined)
    return fc.oneof(
      ...weighted(
        40,
        schema.enum.map((value) => fc.constant(value)),
      ),
      fc.constant('Other'),
    );
  switch (schema.type) {
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return integerOf(schema);
    case 'string':
      return stringOf(schema);
    case 'array':
      return listOf(schema);
    default:
      return schema.additionalProperties === undefined ? objectOf(schema) : mapOf(schema, schema.additionalProperties);
  }
}

/** A value that differs from a given one here and there: a field more, a field less, another value for a field. */
export function near(schema: StructuralSchema, value: unknown): fc.Arbitrary<unknown> {
  const kept = isObject(value) && schema.properties !== undefined ? nearObject(schema, value) : fc.constant(value);
  return fc.oneof({ weight: 24, arbitrary: kept }, { weight: 1, arbitrary: anyValue(schema) });
}

function nearObject(schema: StructuralSchema, value: Container): fc.Arbitrary<unknown> {
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const absent = { weight: name in value ? 1 : 24, arbitrary: fc.constant([]) };
    const present =
      name in value ? { weight: 24, arbitrary: near(field, value[name]) } : { weight: 1, arbitrary: anyValue(field) };
    return fc.oneof(absent, { ...present, arbitrary: present.arbitrary.map((given) => [[name, given]]) });
  });
  return fc.tuple(...fields).map((entries) => Object.fromEntries(entries.flat()));
}

/** A value with one thing wrong with it, or one that only looks wrong. */
export function spoiled(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(value, fc.nat(), fc.constantFrom(...spoilings)).map(([root, at, spoil]) => {
    const copy = structuredClone(root);
    const places = placesIn(copy);
    const place = places[at % places.length];
    if (place !== undefined) spoil(place.parent, place.key);
    return copy;
  });
}

type Container = Record<string, unknown>;

const spoilings: readonly ((parent: Container, key: string) => void)[] = [
  (parent, key) => (Array.isArray(parent) ? parent.splice(Number(key), 1) : delete parent[key]),
  (parent, key) => (Array.isArray(parent) ? parent.push(structuredClone(parent[Number(key)])) : undefined),
  (parent, key) => (parent[key] = {}),
  (parent, key) => (parent[key] = []),
  (parent, key) => (parent[key] = 'x'),
  (parent, key) => (parent[key] = ''),
  (parent, key) => (parent[key] = 1),
  (parent, key) => (parent[key] = 1.5),
  (parent, key) => (parent[key] = -1),
  (parent, key) => (parent[key] = false),
  (parent, key) => (parent[key] = `${String(parent[key])}\n`),
  (parent, key) => (parent[key] = { ...(parent[key] as object), unheardOf: { of: [1] } }),
];

function isObject(value: unknown): value is Container {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function placesIn(value: unknown): readonly { readonly parent: Container; readonly key: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => [{ parent: value as Container, key }, ...placesIn(child)]);
}

function weighted(weight: number, arbitraries: readonly fc.Arbitrary<unknown>[]) {
  return arbitraries.map((arbitrary) => ({ arbitrary, weight }));
}

function integerOf({ minimum = -(2 ** 40), maximum = 2 ** 40 }: StructuralSchema): fc.Arbitrary<number> {
  const within = fc.integer({ min: Math.max(minimum, -(2 ** 31)), max: Math.min(maximum, 2 ** 31 - 1) });
  return fc.oneof(
    { weight: 20, arbitrary: within },
    { weight: 4, arbitrary: fc.constantFrom(minimum, maximum) },
    { weight: 1, arbitrary: fc.constantFrom(minimum - 1, maximum + 1) },
  );
}

function stringOf(schema: StructuralSchema): fc.Arbitrary<string> {
  const { minLength = 0, maxLength = 64 } = schema;
  const expression = expressionOf(schema);
  // Characters beyond the basic plane, of which JavaScript counts two units and Kubernetes one code point.
  const edges = fc.constantFrom(
    '',
    '\u0000',
    '😀'.repeat(maxLength),
    '😀'.repeat(maxLength + 1),
    'x'.repeat(maxLength + 1),
    'ab\n',
    ' a',
  );
  const usual =
    expression === undefined
      ? fc.string({ unit: 'binary', minLength, maxLength: Math.min(maxLength, 40) })
      : fc
          .stringMatching(expression, { size: 'small' })
          .filter((text) => [...text].length <= maxLength && [...text].length >= minLength);
  return fc.oneof({ weight: 60, arbitrary: usual }, { weight: 1, arbitrary: edges });
}

function expressionOf(schema: StructuralSchema): RegExp | undefined {
  if (schema.pattern !== undefined) return new RegExp(schema.pattern);
  const rules = (schema['x-kubernetes-validations'] ?? []) as readonly { readonly rule: string }[];
  const found = rules
    .map(({ rule }) => /^self\.matches\(r'(.*)'\)$/.exec(rule)?.[1])
    .find((expression) => expression !== undefined);
  return found === undefined ? undefined : new RegExp(found);
}

function listOf({ items = {}, minItems = 0, maxItems = 3, ...rest }: StructuralSchema): fc.Arbitrary<unknown> {
  const usual = fc.array(anyValue(items), {
    minLength: minItems,
    maxLength: Math.max(minItems, Math.min(3, maxItems)),
  });
  const unique = rest['x-kubernetes-list-type'] === 'map' ? usual.map((list) => uniqueBy('name', list)) : usual;
  const tooMany = anyValue(items).map((item) => Array.from({ length: Math.min(maxItems, 70) + 1 }, () => item));
  return fc.oneof(
    { weight: 80, arbitrary: unique },
    { weight: 1, arbitrary: tooMany },
    { weight: 1, arbitrary: fc.constant([]) },
  );
}

function uniqueBy(key: string, list: readonly unknown[]): readonly unknown[] {
  return [...new Map(list.map((item) => [(item as Container)[key], item])).values()];
}

function mapOf({ maxProperties = 3 }: StructuralSchema, value: StructuralSchema): fc.Arbitrary<unknown> {
  const key = fc.oneof(fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8})?$/), fc.string({ unit: 'grapheme', maxLength: 5 }));
  const usual = fc.dictionary(key, anyValue(value), { maxKeys: 3, noNullPrototype: true });
  const tooMany = anyValue(value).map((item) =>
    Object.fromEntries(Array.from({ length: maxProperties + 1 }, (_, index) => [`k${index}`, item])),
  );
  return fc.oneof({ weight: 40, arbitrary: usual }, { weight: 1, arbitrary: tooMany });
}

function objectOf(schema: StructuralSchema): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, field]) => [name, anyValue(field)]),
  );
  const any = fc.record(fields, { requiredKeys: [...(schema.required ?? [])], noNullPrototype: true });
  const { members, exactly } = unionOf(schema);
  if (members.length === 0) return any;
  const chosen = fc
    .tuple(any, fc.option(fc.constantFrom(...members), { nil: undefined, freq: exactly ? 60 : 4 }))
    .chain(([object, member]) => {
      const others = Object.fromEntries(Object.entries(object).filter(([name]) => !members.includes(name)));
      const field = member === undefined ? undefined : fields[member];
      return member === undefined || field === undefined
        ? fc.constant(others)
        : field.map((value) => ({ ...others, [member]: value }));
    });
  return fc.oneof({ weight: 60, arbitrary: chosen }, { weight: 1, arbitrary: any });
}

/** The members that a rule lets occur once, at most or exactly. */
function unionOf(schema: StructuralSchema): { readonly members: readonly string[]; readonly exactly: boolean } {
  const rules = (schema['x-kubernetes-validations'] ?? []) as readonly { readonly rule: string }[];
  const rule = rules.map(({ rule }) => rule).find((text) => text.includes('.filter(present, present)')) ?? '';
  return {
    members: [...rule.matchAll(/has\(self\.(\w+)\)/g)].map(([, member]) => member ?? ''),
    exactly: rule.includes('== 1'),
  };
}
