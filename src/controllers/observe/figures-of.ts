import type { Figure } from '../../observability/figures.ts';
import type { Caches } from '../context.ts';
import { indexes } from '../context.ts';
import { figuresOfDrills } from './drills.ts';
import { figuresOfPolicy } from './policy.ts';
import { figuresOfRepository } from './repository.ts';
import { figuresOfRuns } from './runs.ts';

type Observed = Pick<Caches, 'policies' | 'runs' | 'recoveries' | 'repositories'>;

/** All that is known of what people declare, as figures. */
export function* figuresOf({ policies, runs, recoveries, repositories }: Observed, now: Date): Iterable<Figure> {
  const drills = Map.groupBy(recoveries.list(), ({ metadata, spec }) => {
    const { policyRef, repository } = spec?.source ?? {};
    return policyRef === undefined
      ? `${repository?.namespace}/${repository?.policy}`
      : `${metadata.namespace}/${policyRef.name}`;
  });
  for (const policy of policies.list()) {
    const key = `${policy.metadata.namespace}/${policy.metadata.name}`;
    yield* whatIsTold(() => figuresOfPolicy(policy, now));
    yield* whatIsTold(() => figuresOfRuns(policy, runs.byIndex(indexes.policy, key)));
    yield* whatIsTold(() => figuresOfDrills(policy, drills.get(key) ?? []));
  }
  for (const repository of repositories.list()) yield* whatIsTold(() => figuresOfRepository(repository));
}

/** An object that is older than its CRD may hold anything: nothing is known of it then, and of the others all. */
function* whatIsTold(of: () => Iterable<Figure>): Iterable<Figure> {
  try {
    yield* of();
  } catch {
    // Its own controller says what cannot be read, on the object.
  }
}
