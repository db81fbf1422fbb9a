import { z } from 'zod';
import type { Documentation } from './documentation/shared.ts';

/** A node of a structural OpenAPI v3 schema, as a CustomResourceDefinition takes it. */
export interface StructuralSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly format?: 'int32' | 'int64';
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly 'x-kubernetes-int-or-string'?: true;
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly object[];
}

type Json = Readonly<Record<string, unknown>>;

/**
 * What a zod schema takes, as a structural schema (kubernetes.io, "Specifying a structural schema"). Throws, naming the
 * field, for whatever the API server would refuse or evaluate without a bound: unions, references, patterns that RE2 does
 * not know, and strings, lists and maps of any length.
 */
export function structural(schema: z.ZodType, documentation: Documentation = {}): StructuralSchema {
  const unused = new Set(Object.keys(documentation));
  const describe = (path: string) => {
    unused.delete(path);
    return documentation[path];
  };
  const root = node(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as Json, '', describe);
  if (unused.size > 0) throw new Error(`These fields are described and do not exist: ${[...unused].join(', ')}`);
  return root;
}

type Describe = (path: string) => string | undefined;

function node(json: Json, path: string, describe: Describe): StructuralSchema {
  const kept = json['x-kubernetes-int-or-string'] === true ? intOrString(json) : json;
  refuse(kept, path);
  const children = {
    ...(isObject(kept.properties) ? { properties: properties(kept.properties, path, describe) } : {}),
    ...(isObject(kept.items) ? { items: node(kept.items, `${path}[]`, describe) } : {}),
    ...(isMap(kept) ? { additionalProperties: node(kept.additionalProperties as Json, `${path}{}`, describe) } : {}),
  };
  const description = describe(path);
  const plain: StructuralSchema = {
    ...(description === undefined ? {} : { description }),
    ...scalars(kept),
    ...children,
  };
  return 'default' in kept ? { ...plain, default: completed(plain, kept.default) } : plain;
}

function properties(fields: Json, path: string, describe: Describe): Record<string, StructuralSchema> {
  const at = (name: string) => (path === '' ? name : `${path}.${name}`);
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, node(field as Json, at(name), describe)]),
  );
}

const copied = [
  ...[
    'description',
    'type',
    'required',
    'enum',
    'pattern',
    'minLength',
    'maxLength',
    'minItems',
    'maxItems',
    'maxProperties',
  ],
  ...['x-kubernetes-int-or-string', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys', 'x-kubernetes-validations'],
];
const understood = new Set([...copied, 'properties', 'items', 'additionalProperties', 'default', 'minimum', 'maximum']);

function scalars(json: Json): StructuralSchema {
  const present = copied.filter((key) => json[key] !== undefined && !isVacuous(key, json[key]));
  const copy: Json = Object.fromEntries(present.map((key) => [key, json[key]]));
  const { format, ...limits } = bounds(json);
  return json.type === 'integer' ? { ...copy, format, ...limits } : { ...copy, ...limits };
}

function isVacuous(key: string, value: unknown): boolean {
  return value === 0 && (key === 'minItems' || key === 'minLength');
}

/** zod bounds every integer by what JavaScript holds exactly; only narrower bounds are the schema's own. */
function bounds(json: Json): Pick<StructuralSchema, 'minimum' | 'maximum'> & { readonly format: 'int32' | 'int64' } {
  const own = (key: 'minimum' | 'maximum') => {
    const bound = json[key];
    return typeof bound === 'number' && Math.abs(bound) < Number.MAX_SAFE_INTEGER ? { [key]: bound } : {};
  };
  const format = Number(json.minimum) >= -(2 ** 31) && Number(json.maximum) < 2 ** 31 ? 'int32' : 'int64';
  return { format, ...own('minimum'), ...own('maximum') };
}

/** The one union that a structural schema knows. The bounds of each branch speak of values of its own type alone. */
function intOrString(json: Json): Json {
  const { anyOf, type: _, ...rest } = json;
  const branches: readonly Json[] = Array.isArray(anyOf) ? anyOf : [];
  const { minimum, maximum } = bounds(branches.find((branch) => branch.type === 'integer') ?? {});
  const { pattern, maxLength } = branches.find((branch) => branch.type === 'string') ?? {};
  return { ...rest, minimum, maximum, pattern, maxLength };
}

/** A default with the defaults of its fields, since rules are checked against a default just as it is written. */
function completed(schema: StructuralSchema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => completed(schema.items ?? {}, item));
  if (!isObject(value)) return value;
  const given = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const present = value[name] ?? field.default;
    return present === undefined ? [] : [[name, completed(field, present)]];
  });
  return schema.properties === undefined ? value : Object.fromEntries(given);
}

function refuse(json: Json, path: string): void {
  const unknown = Object.keys(json).filter((key) => !understood.has(key));
  const { type } = json;
  const either = json['x-kubernetes-int-or-string'] === true;
  const faults = [
    ...unknown.map((key) => (json[key] === false ? '' : `${key} has no place in a structural schema`)),
    !either &&
      !['object', 'array', 'string', 'integer', 'boolean'].includes(String(type)) &&
      `type ${String(type)} is not used in this API`,
    (either || (type === 'string' && json.enum === undefined)) &&
      json.maxLength === undefined &&
      'a string needs maxLength',
    either && json.pattern === undefined && 'an integer or a string needs a plain pattern for the string',
    type === 'array' && json.maxItems === undefined && 'a list needs maxItems',
    isMap(json) && json.maxProperties === undefined && 'a map needs maxProperties',
    expressions(json).some((expression) => /\(\?|\\[bBdDsSwWpPk1-9]/.test(expression)) &&
      'a pattern means another thing to RE2',
  ].filter((fault) => typeof fault === 'string' && fault !== '');
  if (faults.length > 0) throw new Error(`${path === '' ? 'The schema' : path}: ${faults.join('; ')}`);
}

function expressions(json: Json): readonly string[] {
  const rules = (json['x-kubernetes-validations'] ?? []) as readonly { readonly rule: string }[];
  return [...rules.map(({ rule }) => rule), ...(typeof json.pattern === 'string' ? [json.pattern] : [])];
}

function isMap(json: Json): boolean {
  return isObject(json.additionalProperties);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
