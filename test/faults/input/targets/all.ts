import type { Target } from '../target.ts';
import { dumpTargets } from './dumps.ts';
import { kubectlTargets } from './kubectl.ts';
import { objectTargets } from './objects.ts';
import { repositoryTargets } from './repository.ts';
import { serverTargets } from './server.ts';
import { walTargets } from './wal.ts';

/** What reads in memory, and so can be given a million inputs. What needs files, servers or programs has tests of its own. */
export const targets: readonly Target[] = [
  ...walTargets,
  ...dumpTargets,
  ...serverTargets,
  ...repositoryTargets,
  ...objectTargets,
  ...kubectlTargets,
];
