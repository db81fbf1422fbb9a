import { isOrphan } from '../../../src/domain/orphan.ts';
import type { Store } from '../../../src/repository/store.ts';
import { sweepOrphans } from '../../../src/repository/sweep-orphans.ts';

/** What the next backup of the policy does before it begins: a removal that was cut short has left a folder without a manifest. */
export async function sweepAsBackup(store: Store): Promise<void> {
  await sweepOrphans(
    store,
    { namespace: 'shop', policy: 'orders' },
    (candidate) => isOrphan(candidate, { now: new Date(), runState: 'terminal' }),
    AbortSignal.timeout(120_000),
  );
}
