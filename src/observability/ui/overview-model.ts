import type { BackupPolicy } from '../../api/kinds.ts';
import { type Level, levels } from '../../domain/health/finding.ts';
import { type Paged, pageOf } from './pages.ts';
import { blindness, type Seen } from './seen.ts';
import { type Summary, summarize, unreadable } from './summarize.ts';

export const policiesPerPage = 100;

export interface Overview {
  readonly now: Date;
  /** Where only one was asked for. */
  readonly namespace: string | undefined;
  readonly blind: ReturnType<typeof blindness>;
  readonly total: number;
  readonly counts: Readonly<Record<Level, number>>;
  /** The worst first. */
  readonly page: Paged<Summary>;
}

export interface OverviewQuery {
  readonly page: number;
  readonly namespace?: string | undefined;
}

/** Every policy that is known, judged; only the page's share of them is kept. */
export function overviewOf(seen: Seen, { page, namespace }: OverviewQuery, now: Date): Overview {
  const policies = seen.policies
    .list()
    .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace);
  const summaries = policies.map((policy) => summaryOf(seen, policy, now)).toSorted(worstFirst);
  const counts = Object.fromEntries(levels.map((level) => [level, 0])) as Record<Level, number>;
  for (const { health } of summaries) counts[health.level] += 1;
  return {
    now,
    namespace,
    blind: blindness(seen),
    total: summaries.length,
    counts,
    page: pageOf(summaries, page, policiesPerPage),
  };
}

export function summaryOf(seen: Seen, policy: BackupPolicy, now: Date): Summary {
  try {
    return summarize(policy, seen.runsOf(`${policy.metadata.namespace}/${policy.metadata.name}`), now);
  } catch {
    return unreadable(policy);
  }
}

function worstFirst(one: Summary, other: Summary): number {
  const byLevel = levels.indexOf(one.health.level) - levels.indexOf(other.health.level);
  return byLevel || compare(one.namespace, other.namespace) || compare(one.name, other.name);
}

/** By code unit: names are ASCII, and localeCompare takes seconds for thousands. */
function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
