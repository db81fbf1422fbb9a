/** The fields of an object that its schema does not know, since what it does not know is not in what it gives back. */
export function unknownFields(given: unknown, parsed: unknown, path = 'spec'): readonly string[] {
  if (Array.isArray(given)) {
    const items: readonly unknown[] = Array.isArray(parsed) ? parsed : [];
    return given.flatMap((item, index) => unknownFields(item, items[index], `${path}[${index}]`));
  }
  if (!isRecord(given)) return [];
  const known = isRecord(parsed) ? parsed : {};
  return Object.entries(given).flatMap(([name, value]) =>
    name in known ? unknownFields(value, known[name], `${path}.${name}`) : [`${path}.${name}`],
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
