import type { Seen, Shelf } from '../../../src/observability/ui/seen.ts';
import type { World } from './world.ts';

interface Named {
  readonly metadata: { readonly name: string; readonly namespace: string };
}

export interface Sight {
  readonly isSynced?: boolean;
  readonly staleFor?: number;
  readonly leads?: boolean;
}

/** What a replica would see of a world, without an API server. */
export function shelvesOf(world: Partial<World>, { isSynced = true, staleFor = 0, leads = true }: Sight = {}): Seen {
  const shelf = <Shape extends Named>(objects: readonly Shape[] = []): Shelf<Shape> => ({
    isSynced,
    staleFor,
    list: () => objects,
    get: (namespace, name) =>
      objects.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
  });
  const byPolicy = Map.groupBy(
    world.runs ?? [],
    ({ metadata, spec }) => `${metadata.namespace}/${spec?.policyRef?.name}`,
  );
  return {
    policies: shelf(world.policies),
    runs: shelf(world.runs),
    restores: shelf(world.restores),
    recoveries: shelf(world.recoveries),
    repositories: shelf(world.repositories),
    runsOf: (key) => byPolicy.get(key) ?? [],
    replica: 'tidemark-7c9f-abcde',
    leads: () => leads,
  };
}
