import { z } from 'zod';

/**
 * A cross-field rule, said twice on purpose: `cel` is what the API server evaluates at admission, `holds` is the same
 * sentence for zod. A property test on a real API server keeps the two in step.
 */
export interface Rule<Value> {
  readonly cel: string;
  readonly message: string;
  readonly holds: (value: Value) => boolean;
}

/** Attaches rules to a schema, for zod and for the generated CRD alike. */
export function ruled<Schema extends z.ZodType>(schema: Schema, ...rules: readonly Rule<z.output<Schema>>[]): Schema {
  const refined = schema.superRefine((value, context) => {
    for (const { holds, message } of rules) {
      if (!holds(value)) context.addIssue({ code: 'custom', message });
    }
  });
  return validated(
    refined as Schema,
    rules.map(({ cel, message }) => ({ rule: cel, message })),
  );
}

/** Rules that compare with the stored object; only the API server knows both sides. */
export function transitionRules<Schema extends z.ZodType>(
  schema: Schema,
  ...rules: readonly { readonly cel: string; readonly message: string }[]
): Schema {
  return validated(
    schema,
    rules.map(({ cel, message }) => ({ rule: cel, message, reason: 'FieldValueForbidden' })),
  );
}

function validated<Schema extends z.ZodType>(schema: Schema, validations: readonly object[]): Schema {
  const earlier = (schema.meta()?.['x-kubernetes-validations'] ?? []) as readonly object[];
  return schema.meta({ 'x-kubernetes-validations': [...earlier, ...validations] }) as Schema;
}

/** A union as the CRD rules want it: optional members of one object, exactly one of them present. */
export function exactlyOne<Value extends object>(...members: readonly (keyof Value & string)[]): Rule<Value> {
  return {
    cel: `[${members.map((member) => `has(self.${member})`).join(', ')}].filter(present, present).size() == 1`,
    message: `exactly one of ${members.join(', ')} must be set`,
    holds: (value) => members.filter((member) => value[member] !== undefined).length === 1,
  };
}

export function atMostOne<Value extends object>(...members: readonly (keyof Value & string)[]): Rule<Value> {
  return {
    cel: `[${members.map((member) => `has(self.${member})`).join(', ')}].filter(present, present).size() <= 1`,
    message: `at most one of ${members.join(', ')} may be set`,
    holds: (value) => members.filter((member) => value[member] !== undefined).length <= 1,
  };
}

/** Text with an upper bound in code points, as the API server counts them (JavaScript would count UTF-16 units). */
export function text(maxLength: number, minLength = 0): z.ZodString {
  return z
    .string()
    .refine((value) => within([...value].length, minLength, maxLength), {
      message: `must have ${minLength} to ${maxLength} characters`,
    })
    .meta({ maxLength, ...(minLength > 0 ? { minLength } : {}) });
}

/**
 * Text of a fixed form. The pattern must mean the same to RE2 and to JavaScript: no lookaround, no \s, \w, \b. In the
 * CRD it is a rule rather than a `pattern`, so that the API server answers with the message and not with the expression.
 */
export function formed(pattern: string, maxLength: number, message: string, minLength = 1): z.ZodString {
  return matching(pattern, maxLength, message, minLength).meta({
    'x-kubernetes-validations': [{ rule: `self.matches(r'${pattern}')`, message }],
  });
}

/** The same with a plain `pattern`: for the branches of integerOrText, and where nobody errs. */
export function patterned(pattern: string, maxLength: number, message: string, minLength = 1): z.ZodString {
  return matching(pattern, maxLength, message, minLength).meta({ pattern });
}

/** Text that becomes the argument of a process, or a name in PostgreSQL: neither takes NUL. */
export function argument(maxLength: number, minLength = 0): z.ZodString {
  return patterned(
    '^[^\\x00]*$',
    maxLength,
    `must have ${minLength} to ${maxLength} characters, none of them NUL`,
    minLength,
  );
}

function matching(pattern: string, maxLength: number, message: string, minLength: number): z.ZodString {
  const expression = new RegExp(pattern);
  return z
    .string()
    .refine((value) => within([...value].length, minLength, maxLength) && expression.test(value), { message })
    .meta({ maxLength, minLength });
}

function within(length: number, least: number, most: number): boolean {
  return length >= least && length <= most;
}

export function integer(minimum: number, maximum: number): z.ZodInt {
  return z.int().min(minimum).max(maximum);
}

export function list<Item extends z.ZodType>(item: Item, maxItems: number, minItems = 0): z.ZodArray<Item> {
  return z.array(item).min(minItems).max(maxItems);
}

/** A list in which `key` names each item once (a Kubernetes list map). */
export function listMap<Item extends z.ZodType<Readonly<Record<Key, string>>>, Key extends string>(
  item: Item,
  key: Key,
  maxItems: number,
  minItems = 0,
): z.ZodArray<Item> {
  const unique = list(item, maxItems, minItems).refine(
    (items) => new Set(items.map((entry) => entry[key])).size === items.length,
    { message: `each ${key} may occur once` },
  );
  return unique.meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] });
}

/** A map with a bound on its entries. */
export function mapOf<Value extends z.ZodType>(value: Value, maxProperties: number): z.ZodRecord<z.ZodString, Value> {
  return z
    .record(z.string(), value)
    .refine((map) => Object.keys(map).length <= maxProperties, { message: `at most ${maxProperties} entries` })
    .meta({ maxProperties });
}

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

/** RFC 1123 label: the name of a Service, a StatefulSet that has pods, a schedule. */
export const labelName = formed(`^${dnsLabel}$`, 63, 'must be a lower-case RFC 1123 label, such as nightly-dump');
/** RFC 1123 subdomain: the name of most Kubernetes objects. */
export const objectName = formed(
  `^${dnsLabel}(\\.${dnsLabel})*$`,
  253,
  'must be a lower-case RFC 1123 subdomain, such as orders-db',
);
export const secretKey = formed(
  '^([-_a-zA-Z0-9]|[.][-_a-zA-Z0-9])[-._a-zA-Z0-9]*$',
  253,
  'must be a key of a Secret or ConfigMap: letters, digits, - _ .',
);

export const localRef = z.object({ name: objectName });
export const secretKeyRef = z.object({ name: objectName, key: secretKey });
/** A database, role, schema or table name: PostgreSQL takes 63 bytes of anything but NUL. */
export const identifier = argument(63, 1);
/** A pattern as pg_dump and psql read it (psql, "Patterns"). */
export const pattern = argument(256, 1);
/** An int64 or a byte count: beyond 2^53, so a decimal string. */
export const wideInteger = formed('^[0-9]+$', 20, 'must be a decimal number');
/** RFC 3339 in UTC, as Kubernetes writes times. */
export const time = text(64);
export const duration = formed(
  '^[1-9][0-9]{0,4}(h|d|w|m|y)$',
  32,
  'must be a number and a unit, such as 14d (h, d, w, m, y)',
);
export const timeZone = formed('^[A-Za-z][-A-Za-z0-9_+/]*$', 64, 'must be a time zone name such as Europe/Amsterdam');
/** pg_basebackup's --max-rate: 32 kB/s to 1024 MB/s. */
export const transferRate = formed(
  '^[1-9][0-9]{0,6}[kM]?$',
  32,
  'must be a rate as pg_basebackup takes it, such as 200M',
);

/** The one union that a CRD knows: an integer or a string. */
export function integerOrText<Text extends z.ZodType<string>>(
  whole: z.ZodInt,
  form: Text,
): z.ZodUnion<readonly [z.ZodInt, Text]> {
  return z.union([whole, form]).meta({ 'x-kubernetes-int-or-string': true });
}

/** Kubernetes' resource.Quantity: a number or a string such as 256Mi. */
export const quantity = integerOrText(
  z.int().min(0),
  patterned(
    '^[0-9]+([.][0-9]*)?([munkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,2})?$',
    32,
    'must be a quantity such as 256Mi or 500m',
  ),
);

export const imageReference = patterned('^[^ \\x00-\\x1f]*$', 512, 'must be an image reference', 0);

/** Either an empty object or absent: presence is the choice. */
export const presence = z.object({});
