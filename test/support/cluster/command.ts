import { chooseWay } from './choose-way.ts';
import { ensureCluster } from './cluster.ts';
import { removeHostCluster } from './host/down.ts';
import { removeKindCluster } from './kind-cluster.ts';
import { printStatus } from './status.ts';

/** `npm run cluster -- up|down|status|kubeconfig` */
const begun = Date.now();
const log = (line: string) =>
  process.stderr.write(`${((Date.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);

const commands: Readonly<Record<string, () => Promise<void>>> = {
  up: async () => {
    const { way, kubeconfig } = await ensureCluster({ log });
    log(`The ${way} cluster is up`);
    process.stdout.write(`export KUBECONFIG=${kubeconfig}\n`);
  },
  down: async () => {
    await ((await chooseWay()) === 'kind' ? removeKindCluster({ log }) : removeHostCluster({ log }));
  },
  status: printStatus,
  kubeconfig: async () => {
    const { kubeconfig } = await ensureCluster({ log });
    process.stdout.write(`${kubeconfig}\n`);
  },
};

const command = commands[process.argv[2] ?? ''];
if (command === undefined) {
  process.stderr.write('usage: npm run cluster -- up|down|status|kubeconfig\n');
  process.exitCode = 2;
} else {
  await command().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
