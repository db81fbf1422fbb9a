import { spawnSync } from 'node:child_process';

/** `npm run demo:down`: the cluster, with all that is in it, and every process, mount, bridge and rule. */
const { status } = spawnSync(process.execPath, ['test/support/cluster/command.ts', 'down'], { stdio: 'inherit' });
process.exitCode = status ?? 1;
