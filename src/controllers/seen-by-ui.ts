import type { Seen } from '../observability/ui/seen.ts';
import { indexes } from './context.ts';
import type { Manager } from './manager.ts';

/** What the web page may see: of the caches that are kept anyway, those of Tidemark's own kinds. */
export function seenByUi(manager: Manager, replica: string): Seen {
  const { policies, runs, restores, recoveries, repositories } = manager.caches;
  return {
    ...{ policies, runs, restores, recoveries, repositories, replica },
    runsOf: (policy) => runs.byIndex(indexes.policy, policy),
    leads: () => manager.leads,
  };
}
