/** How sure somebody may be of a policy's backups, the worst first; not to know stands before what is merely to be looked at. */
export const levels = ['failing', 'unknown', 'attention', 'suspended', 'unproven', 'sound'] as const;

export type Level = (typeof levels)[number];

export interface Finding {
  readonly level: Exclude<Level, 'sound'>;
  /** One sentence or two; of the operator, an agent or a server, in its own words. */
  readonly words: string;
  readonly reason?: string;
  /** RFC 3339. */
  readonly since?: string;
}

export interface Health {
  readonly level: Level;
  /** The worst first; none where the level is sound. */
  readonly findings: readonly Finding[];
}

/** What several findings come to; the same words twice are one finding. */
export function healthOf(found: readonly Finding[]): Health {
  const findings = found
    .filter(({ words }, index) => found.findIndex((other) => other.words === words) === index)
    .toSorted((one, other) => levels.indexOf(one.level) - levels.indexOf(other.level));
  return { level: findings[0]?.level ?? 'sound', findings };
}
