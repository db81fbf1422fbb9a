import { access, rm } from 'node:fs/promises';
import { stopRecorded } from '../process.ts';
import { componentNames } from './components.ts';
import { layout } from './layout.ts';
import { remainingNetwork, removeNetwork } from './network.ts';
import { remainingPods, removePods } from './pods.ts';
import { pidFile } from './up.ts';

/** Takes everything away, in an order in which nothing is started again, and throws if something stays. */
export async function removeHostCluster({ log }: { readonly log: (line: string) => void }): Promise<void> {
  log('Stopping the host cluster');
  for (const name of [...componentNames].reverse()) await stopRecorded(pidFile(name));
  await removePods();
  await removeNetwork();
  for (const folder of [layout.state, layout.run, layout.volumes])
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  const remaining = await remainingTraces();
  if (remaining.length > 0)
    throw new Error(`The cluster is down, but this is still there:\n  ${remaining.join('\n  ')}`);
  log('Nothing of the cluster is left: no process, mount, cgroup, bridge, network namespace, rule or folder');
}

/** Processes, mounts, cgroups, bridge, network namespaces, rules and folders of the cluster that exist now. */
export async function remainingTraces(): Promise<readonly string[]> {
  const folders = await Promise.all(
    [layout.state, layout.run, layout.volumes].map(async (folder) =>
      (await exists(folder)) ? [`folder ${folder}`] : [],
    ),
  );
  return [...(await remainingPods()), ...(await remainingNetwork()), ...folders.flat()];
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
