import type { Random } from './random.ts';

/** What breaks programs that read text: paths, quotes, control characters, names of prototypes, numbers without end. */
const tokens = [
  ...['', ' ', '\n', '\r\n', '\t', '\0', '/', '..', '../../../etc/passwd', '/etc/passwd', './', '\\', '\\..\\'],
  ...[
    '"',
    "'",
    '`',
    '$(touch /tmp/x)',
    '; rm -rf /',
    '--',
    '-',
    '%00',
    '%2e%2e%2f',
    '%',
    '{}',
    '[]',
    '{',
    '[',
    ':',
    ',',
  ],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'undefined', 'true', 'NaN', 'Infinity'],
  ...['-1', '0', '-0', '1e999', '1e-999', '2147483648', '4294967296', '9007199254740993', '18446744073709551616'],
  ...['9'.repeat(400), '0x10', '1_000', '٣', 'ﬁ', '\u202e', '\u0000', '\ufeff', '\ud800', '💥', 'İ', 'a'.repeat(5000)],
  ...['2026-13-45T99:99:99Z', '0000-00-00', '+275761-01-01T00:00:00Z', 'FFFFFFFF/FFFFFFFF', 'FFFFFFFFFFFFFFFFFFFFFFFF'],
] as [string, ...string[]];

const integers = [
  ...[0n, 1n, 2n, 7n, 127n, 128n, 255n, 256n, 511n, 512n, 32767n, 32768n, 65535n, 65536n, 0x7fffffffn, 0x80000000n],
  ...[0xffffffffn, 0x100000000n, 0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn],
] as [bigint, ...bigint[]];

/** One to four changes of a file as it is; `others` are what it may be spliced with. */
export function mutateBytes(random: Random, original: Buffer, others: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let changes = 1 + random.below(4); changes > 0; changes -= 1) bytes = change(random, bytes, others);
  return bytes;
}

function change(random: Random, bytes: Buffer, others: readonly Buffer[]): Buffer {
  const at = random.below(bytes.length);
  const to = at + random.below(Math.min(256, bytes.length - at + 1));
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2: {
      if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    }
    case 3: {
      if (bytes.length > 0) bytes[at] = random.pick([0, 0xff, 0x7f, 0x80, 0x20, 0x0a, 0x2f]);
      return bytes;
    }
    case 4:
    case 5:
      return writeInteger(random, bytes, at);
    case 6:
      return bytes.subarray(0, at);
    case 7:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 8:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
    case 9: {
      const other = others[random.below(others.length)] ?? bytes;
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length))]);
    }
    case 10:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(tokens)), bytes.subarray(at)]);
    default: {
      const token = Buffer.from(random.pick(tokens));
      return Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(at + token.length)]);
    }
  }
}

function writeInteger(random: Random, bytes: Buffer, at: number): Buffer {
  const width = random.pick([1, 2, 4, 8]);
  if (at + width > bytes.length) return bytes;
  const value = BigInt.asUintN(width * 8, random.pick(integers));
  const written = Buffer.alloc(8);
  written.writeBigUInt64LE(value);
  const content = written.subarray(0, width);
  if (random.chance(2)) content.reverse();
  content.copy(bytes, at);
  return bytes;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One to three changes of a value's fields, then, once in a while, of its text. */
export function mutateJson(random: Random, original: Json): string {
  let value = structuredClone(original) as Json;
  for (let changes = 1 + random.below(3); changes > 0; changes -= 1) value = changeNode(random, value);
  const text = random.chance(64) ? deep(random) : JSON.stringify(value).replaceAll('"\ue000number"', '1e999');
  if (!random.chance(8)) return text;
  return mutateBytes(random, Buffer.from(text), []).toString('utf8');
}

function deep(random: Random): string {
  const depth = random.pick([100, 5000, 100_000]);
  return random.chance(2) ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

function changeNode(random: Random, value: Json): Json {
  if (Array.isArray(value) && value.length > 0 && !random.chance(4)) {
    const at = random.below(value.length);
    if (random.chance(8)) return value.filter((_, index) => index !== at);
    if (random.chance(16)) return Array.from({ length: 1 + random.below(2000) }, () => value[at] ?? null);
    return value.map((each: Json, index: number) => (index === at ? changeNode(random, each) : each));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const keys = Object.keys(value);
    const [key = 'a'] = keys.slice(random.below(keys.length));
    if (random.chance(12)) return Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
    if (random.chance(12)) return withKey(value as Readonly<Record<string, Json>>, random.pick(tokens), odd(random));
    if (keys.length > 0 && !random.chance(10))
      return withKey(value as Readonly<Record<string, Json>>, key, changeNode(random, Reflect.get(value, key) as Json));
  }
  if (typeof value === 'string' && random.chance(2))
    return mutateBytes(random, Buffer.from(value), []).toString('utf8');
  return odd(random);
}

/** Also for `__proto__`, which an assignment would take for something else. */
function withKey(object: Readonly<Record<string, Json>>, key: string, value: Json): Json {
  const copy = { ...object };
  Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true });
  return copy;
}

function odd(random: Random): Json {
  return random.pick<() => Json>([
    () => null,
    () => random.chance(2),
    () => random.pick([0, -1, 1, 0.5, -0, 2 ** 31, 2 ** 53, 2 ** 53 + 2, -(2 ** 63), 1e308, 5e-324]),
    // JSON knows numbers that no double does.
    () => '\ue000number',
    () => random.pick(tokens),
    () => [],
    () => ({}),
    () => [random.pick(tokens), null, {}],
    () => ({ [random.pick(tokens)]: random.pick(tokens) }),
  ])();
}
