/** What every line has and nobody reads. */
const dull: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'program', 'job', 'pod', 'pid', 'hostname']);

/** A line of JSON as a person reads it: time, level where it is not info, message, then the rest; others as they are. */
export function readableLogLine(line: string): string {
  const fields = parse(line);
  if (fields === undefined || typeof fields['msg'] !== 'string') return line;
  const time = typeof fields['time'] === 'string' ? `${fields['time']} ` : '';
  const level =
    fields['level'] === 'info' || typeof fields['level'] !== 'string' ? '' : `${fields['level'].toUpperCase()} `;
  const rest = Object.entries(fields).filter(([name]) => !dull.has(name));
  const details = rest.map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${time}${level}${fields['msg']}${details.join('')}`;
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}
