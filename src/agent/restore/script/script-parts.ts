import type { Mark, Range, Script } from './read-script.ts';
import { isOfDatabase } from './script-entry.ts';

export interface ScriptOptions {
  /** Run the statements that drop what is there. */
  readonly clean: boolean;
  readonly noOwner: boolean;
  readonly noPrivileges: boolean;
  readonly noTablespaces: boolean;
  /** Of the target. */
  readonly serverMajor: number;
  /** All of it is one transaction already. */
  readonly singleTransaction: boolean;
}

/** What psql is given of a script, in order and in bytes; the database itself is made by somebody else. */
export function partsToRun(script: Script, options: ScriptOptions): readonly Range[] {
  const kept: Range[] = [];
  let from = 0;
  for (const { start, end } of skipped(script, options)) {
    if (start > from) kept.push({ start: from, end: start });
    from = Math.max(from, end);
  }
  if (from < script.size) kept.push({ start: from, end: script.size });
  return kept;
}

function skipped(script: Script, options: ScriptOptions): readonly Range[] {
  const kinds = skippedKinds(options);
  const entries = script.entries.filter(
    (entry) => isOfDatabase(entry) || (options.noPrivileges && (entry.kind === 'ACL' || entry.kind === 'DEFAULT ACL')),
  );
  return [...script.marks.filter(({ kind }) => kinds.has(kind)), ...without(entries, script.settings)].toSorted(
    (a, b) => a.start - b.start,
  );
}

function skippedKinds(options: ScriptOptions): ReadonlySet<Mark['kind']> {
  return new Set<Mark['kind']>([
    'Command',
    'CleanDatabase',
    'CleanIndex',
    // A new database has the schema public, which a script that cleans drops before.
    ...(options.clean ? [] : (['Clean', 'PublicSchema'] as const)),
    ...(options.noOwner ? (['Owner', 'Session'] as const) : []),
    ...(options.noTablespaces ? (['Tablespace'] as const) : []),
    ...(options.serverMajor < 17 ? (['Timeout'] as const) : []),
    ...(options.singleTransaction ? (['Transaction'] as const) : []),
  ]);
}

/** What the session is told within a range holds for what comes after it. Both are in order. */
function without(ranges: readonly Range[], settings: readonly Range[]): readonly Range[] {
  const pieces: Range[] = [];
  let next = 0;
  for (const range of ranges) {
    let from = range.start;
    for (; next < settings.length; next += 1) {
      const setting = settings[next];
      if (setting === undefined || setting.start >= range.end) break;
      if (setting.start < from) continue;
      if (setting.start > from) pieces.push({ start: from, end: setting.start });
      from = setting.end;
    }
    if (from < range.end) pieces.push({ start: from, end: range.end });
  }
  return pieces;
}

/** The part of these ranges that lies within one. */
export function within(parts: readonly Range[], { start, end }: Range): readonly Range[] {
  return parts.flatMap((part) => {
    const cut = { start: Math.max(part.start, start), end: Math.min(part.end, end) };
    return cut.start < cut.end ? [cut] : [];
  });
}
