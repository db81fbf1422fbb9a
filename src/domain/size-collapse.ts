/** What a backup takes in a repository, in bytes. */
export interface StoredSize {
  readonly stored: number;
  /** By name; none for a physical backup; undefined where nobody knows them. */
  readonly databases: ReadonlyMap<string, number> | undefined;
}

/** What has become so small that a person should look. */
export interface Collapse {
  /** undefined: the whole backup. */
  readonly database: string | undefined;
  /** 0: it is not in the backup any more. */
  readonly bytes: number;
  /** The median of the backups before. */
  readonly usual: number;
}

/** How many backups before count. */
export const comparedRuns = 5;
/** Less than this part of the usual size is a collapse. */
const collapsed = 1 / 2;
/** What is usually smaller than this many bytes is mostly headings. */
const tooSmall = 16 * 1024;

/**
 * Compares a backup with those before it, the newest first: as a whole, and database by database, since a large one hides
 * what happens to a small one. Half a database may be gone for good reason; only a person knows.
 */
export function findCollapses(now: StoredSize, before: readonly StoredSize[]): readonly Collapse[] {
  const compared = before.slice(0, comparedRuns);
  const whole = { database: undefined, bytes: now.stored, usual: median(compared.map(({ stored }) => stored)) };
  const known = now.databases;
  const names = new Set(compared.flatMap((each) => [...(each.databases?.keys() ?? [])]));
  const databases = [...(known === undefined ? [] : names)].flatMap((database) => {
    const usual = median(compared.flatMap((each) => each.databases?.get(database) ?? []));
    const bytes = known?.get(database);
    if (bytes !== undefined) return [{ database, bytes, usual }];
    // One that was gone before is no news.
    const last = compared.find((each) => each.databases !== undefined);
    return last?.databases?.has(database) === true ? [{ database, bytes: 0, usual }] : [];
  });
  return [whole, ...databases].filter(({ bytes, usual }) => usual >= tooSmall && bytes < usual * collapsed);
}

/** The larger of two in the middle; 0 of nothing. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
