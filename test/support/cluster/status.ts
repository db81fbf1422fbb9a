import { execa } from 'execa';
import { chooseWay } from './choose-way.ts';
import { componentNames } from './host/components.ts';
import { remainingTraces } from './host/down.ts';
import { layout } from './host/layout.ts';
import { isUp, pidFile } from './host/up.ts';
import { kindKubeconfig } from './kind-cluster.ts';
import { runningProcess } from './process.ts';
import { ensureTool } from './tools.ts';

/** Prints what runs, and, where the cluster is down, what of it is still there. */
export async function printStatus(): Promise<void> {
  const way = await chooseWay();
  const print = (line: string) => process.stdout.write(`${line}\n`);
  if (way === 'host' && !(await isUp())) {
    await printComponents(print);
    const remaining = await remainingTraces();
    print(
      remaining.length === 0
        ? 'The cluster is down, and nothing of it is left.'
        : `The cluster is down. Left of it:\n  ${remaining.join('\n  ')}`,
    );
    process.exitCode = 3;
    return;
  }
  if (way === 'host') await printComponents(print);
  const kubectl = await ensureTool('kubectl', { log: () => undefined });
  const kubeconfig = way === 'host' ? layout.adminKubeconfig : kindKubeconfig();
  const { stdout, stderr } = await execa(kubectl, ['--kubeconfig', kubeconfig, 'get', 'nodes', '-o', 'wide'], {
    reject: false,
  });
  print(`\n${stdout || stderr}`);
}

async function printComponents(print: (line: string) => void): Promise<void> {
  for (const name of componentNames) {
    const found = await runningProcess(pidFile(name));
    print(`${name.padEnd(24)} ${found === undefined ? 'not running' : `running, pid ${found.pid}`}`);
  }
}
