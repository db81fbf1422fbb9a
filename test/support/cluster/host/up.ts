import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { withLock } from '../../lock.ts';
import { ensureDebianPackages } from '../packages.ts';
import { runningProcess, startDetached, stopRecorded } from '../process.ts';
import { ensureTool } from '../tools.ts';
import { ensureCertificates } from './certificates.ts';
import { type Component, type ComponentName, componentNames, componentsOf } from './components.ts';
import { layout } from './layout.ts';
import { raiseNetwork } from './network.ts';
import { ensurePauseImage } from './pause-image.ts';
import { removePods } from './pods.ts';

interface Options {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal;
}

export const hostPackages = [
  ...[
    'etcd-server',
    'containerd',
    'runc',
    'containernetworking-plugins',
    'iproute2',
    'nftables',
    'conntrack',
    'openssl',
    'ca-certificates',
    'mount',
  ],
];

/** Raises what is not up. What a killed earlier call left half-done is either running, and used, or started again. */
export async function raiseHostCluster(options: Options): Promise<void> {
  if (await isUp()) return;
  await withLock('/run/lock/tidemark-cluster.lock', () => raise(options));
}

/** Every component runs, and the node says that it is ready. */
export async function isUp(): Promise<boolean> {
  for (const name of componentNames) if ((await runningProcess(pidFile(name))) === undefined) return false;
  return await nodeReady();
}

export function pidFile(name: ComponentName): string {
  return join(layout.pids, `${name}.pid`);
}

async function raise(options: Options): Promise<void> {
  const { log } = options;
  await ensureDebianPackages(hostPackages, log);
  await ensureTool('kubectl', options);
  await ensureTool('coredns', options);
  for (const folder of [layout.run, layout.pids, layout.logs, layout.kubelet, layout.containerd])
    await mkdir(folder, { recursive: true });
  await mkdir(layout.etcd, { recursive: true, mode: 0o700 });
  await ensureCertificates();
  await raiseNetwork();
  const components = await componentsOf(options);
  log('Starting the control plane');
  await start(components.etcd, log);
  await start(components['kube-apiserver'], log);
  await waitFor('the API server', () => answers(['get', '--raw', '/readyz']), 'kube-apiserver', options);
  await start(components['kube-controller-manager'], log);
  await start(components['kube-scheduler'], log);
  log('Starting the node');
  if ((await runningProcess(pidFile('containerd'))) === undefined) await removePods();
  await start(components.containerd, log);
  await waitFor(
    'containerd',
    () => succeeds('ctr', ['--address', layout.containerdSocket, 'version']),
    'containerd',
    options,
  );
  await ensurePauseImage(options);
  await start(components.kubelet, log);
  await start(components['kube-proxy'], log);
  await start(components.coredns, log);
  await kubectl(['apply', '-f', '-'], JSON.stringify(storageClass));
  await waitFor('the node to be ready', nodeReady, 'kubelet', options);
  await waitFor(
    'the default service account',
    () => answers(['get', 'serviceaccount', 'default']),
    'kube-controller-manager',
    options,
  );
}

async function start(component: Component, log: (line: string) => void): Promise<void> {
  const file = pidFile(component.name as ComponentName);
  if ((await runningProcess(file)) !== undefined) return;
  await stopRecorded(file);
  log(`Starting ${component.name}`);
  await startDetached({ ...component, pidFile: file, logFile: join(layout.logs, `${component.name}.log`) });
}

const storageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'kubernetes.io/host-path',
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
};

async function nodeReady(): Promise<boolean> {
  const path = '{.items[*].status.conditions[?(@.type=="Ready")].status}';
  const { stdout, failed } = await kubectl(['get', 'nodes', '-o', `jsonpath=${path}`]);
  return !failed && stdout === 'True';
}

async function answers(args: readonly string[]): Promise<boolean> {
  return !(await kubectl(args)).failed;
}

async function kubectl(args: readonly string[], input = '') {
  const program = await ensureTool('kubectl', { log: () => undefined });
  return await execa(program, ['--kubeconfig', layout.adminKubeconfig, '--request-timeout=5s', ...args], {
    reject: false,
    input,
  });
}

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return !(await execa(command, args, { reject: false, timeout: 5000 })).failed;
}

async function waitFor(
  what: string,
  check: () => Promise<boolean>,
  component: ComponentName,
  { signal }: Options,
): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await check())) {
    signal?.throwIfAborted();
    const stopped = (await runningProcess(pidFile(component))) === undefined;
    if (stopped || Date.now() > deadline) {
      const log = join(layout.logs, `${component}.log`);
      const { stdout } = await execa('tail', ['-n', '30', log], { reject: false });
      throw new Error(
        `${stopped ? `${component} ended` : 'Waited 120 s'} while waiting for ${what}. The end of ${log}:\n${stdout}`,
      );
    }
    await pause(200);
  }
}
