import type { Assertion } from '../../api/backup-policy.ts';
import type { Checks } from '../../api/checks.ts';
import { toolFor } from '../../postgres/tools.ts';
import type { Reporter } from '../report.ts';
import { checkAssertions, describeFailedAssertions } from '../restore/check-assertions.ts';
import { amcheck } from './amcheck.ts';
import type { CheckList } from './check-list.ts';
import { type Asked, dumpToNowhere } from './dump-to-nowhere.ts';

/** All that needs a server that runs; whatever fails, the rest is asked too. */
export async function questionServer(
  asked: Asked,
  { checks, assertions }: { readonly checks: Checks; readonly assertions: readonly Assertion[] },
  list: CheckList,
  reporter: Pick<Reporter, 'facts'>,
): Promise<void> {
  if (checks.amcheck) await list.ask('Amcheck', () => amcheck(asked));
  if (checks.dump) await list.ask('Dump', () => dumpToNowhere(asked));
  if (assertions.length === 0) return;
  await list.ask('Assertions', async () => {
    const psql = await toolFor('psql', asked.major);
    const results = await checkAssertions(assertions, psql, asked, asked.signal);
    await reporter.facts({ assertions: results });
    const failed = describeFailedAssertions(results);
    return failed === undefined
      ? { outcome: 'Passed', message: `${results.length} of ${results.length} gave what is expected.` }
      : { outcome: 'Failed', message: failed };
  });
}
