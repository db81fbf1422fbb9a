import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { quantityOf } from '../../../src/domain/quantity.ts';
import { clientFromKubeconfig } from '../../../src/kube/from-kubeconfig.ts';
import { resourcePath } from '../../../src/kube/paths.ts';
import { type ApiProxy, startApiProxy } from './api-proxy.ts';
import { operatorNamespace, release } from './install.ts';
import type { Kubectl } from './kubectl.ts';

/**
 * The operator's own program as a process of this host, with the installed operator's account and settings, and with a
 * proxy of its own before the API server: it can be killed, paused and looked at at any moment. The installed one must not
 * run meanwhile. Those that watch one namespace each do not hinder one another.
 */
export interface LocalOperator {
  readonly proxy: ApiProxy;
  /** Of the running process. */
  readonly pid: number;
  /** How often it was started. */
  readonly starts: number;
  /** The end of what it wrote. */
  log(): string;
  /** Resolves when it leads; with settings over those of the chart. */
  start(environment?: Readonly<Record<string, string>>): Promise<void>;
  /** Resolves when the process is there; it may have to wait for another to stop leading. */
  launch(environment?: Readonly<Record<string, string>>): Promise<void>;
  untilLeading(seconds?: number): Promise<void>;
  /** SIGKILL; the lease is given back in its place, so that nobody waits until it expires. */
  kill(): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>;
  exited(): Promise<number | null>;
  metrics(): Promise<string>;
  /** What it says to the kubelet. */
  ready(): Promise<boolean>;
  close(): Promise<void>;
}

interface Settings {
  readonly kubectl: Kubectl;
  readonly kubeconfig: string;
  /** The one that it watches, with a lease of its own for those that share it; else all, with the chart's lease. */
  readonly namespace?: string;
}

const program = new URL('../../../src/cmd/operator.ts', import.meta.url).pathname;

export async function createLocalOperator({ kubectl, kubeconfig, namespace }: Settings): Promise<LocalOperator> {
  const proxy = await startApiProxy(kubeconfig);
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-operator-'));
  const [settings, admin] = [await chartSettings(kubectl, namespace), await clientFromKubeconfig(kubeconfig)];
  const lease = resourcePath('Lease', { namespace: operatorNamespace, name: settings.lease });
  const file = join(folder, 'kubeconfig');
  await writeFile(file, await kubeconfigFor(kubectl, settings.account, proxy.url), { mode: 0o600 });
  let child: ChildProcess | undefined;
  let exit: Promise<number | null> = Promise.resolve(null);
  let port = 0;
  let starts = 0;
  let leading = Promise.withResolvers<void>();
  let lines: string[] = [];

  const note = (line: string) => {
    lines = [...lines.slice(-300), line];
    if (line.includes('"Started to lead"')) leading.resolve();
    const started = /"port":(\d+)/.exec(line)?.[1];
    if (started !== undefined && line.includes('"Started"')) port = Number(started);
  };
  const launch = async (environment: Readonly<Record<string, string>> = {}) => {
    leading = Promise.withResolvers();
    starts += 1;
    child = spawn(process.execPath, [`--max-heap-size=${settings.heapMebibytes}`, program], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        NODE_COMPILE_CACHE: join(tmpdir(), 'tidemark-operator-compiled'),
        ...settings.environment,
        TIDEMARK_POD_NAME: `local-${process.pid}-${starts}`,
        TIDEMARK_HTTP_PORT: '0',
        // Two of them run at once on one host.
        TIDEMARK_UI: 'false',
        KUBECONFIG: file,
        ...environment,
      },
    });
    for (const stream of [child.stdout, child.stderr]) if (stream !== null) createInterface(stream).on('line', note);
    exit = once(child, 'exit').then(([code]) => code as number | null);
    await once(child, 'spawn');
  };
  const untilLeading = async (seconds = 60) => {
    const late = AbortSignal.timeout(seconds * 1000);
    const tooLate = once(late, 'abort').then(() => 'late');
    const ended = exit.then((code) => `exit ${code}`);
    const how = await Promise.race([leading.promise, ended, tooLate]);
    if (how !== undefined) throw new Error(`The operator does not lead (${how}):\n${lines.slice(-5).join('\n')}`);
  };
  const freeLease = async () => {
    await admin.request('PATCH', lease, {
      body: { spec: { holderIdentity: '' } },
      contentType: 'application/merge-patch+json',
    });
  };
  const kill = async () => {
    child?.kill('SIGKILL');
    await exit;
    await freeLease();
  };
  return {
    proxy,
    get pid() {
      return child?.pid ?? 0;
    },
    get starts() {
      return starts;
    },
    log: () => lines.join('\n'),
    launch,
    untilLeading,
    start: async (environment) => {
      await launch(environment);
      await untilLeading();
    },
    kill,
    signal: (name) => void child?.kill(name),
    stop: async () => {
      child?.kill('SIGTERM');
      return await exit;
    },
    exited: () => exit,
    metrics: async () => await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    ready: async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok,
    close: async () => {
      child?.kill('SIGKILL');
      await exit;
      await proxy.stop();
      const names = ['lease', settings.lease, '--ignore-not-found'];
      if (namespace !== undefined) await kubectl.run(['delete', ...names], { namespace: operatorNamespace });
      await admin.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface ChartSettings {
  readonly account: string;
  readonly lease: string;
  /** What Node takes for its heap in a container of that limit: on a large host it would let it grow for long. */
  readonly heapMebibytes: number;
  readonly environment: Readonly<Record<string, string>>;
}

interface OperatorDeployment {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly serviceAccountName: string;
        readonly containers: readonly {
          readonly env: readonly { readonly name: string; readonly value?: string }[];
          readonly resources: { readonly limits: { readonly memory: string } };
        }[];
      };
    };
  };
}

async function chartSettings(kubectl: Kubectl, namespace: string | undefined): Promise<ChartSettings> {
  const deployment = await kubectl.get<OperatorDeployment>('deployment', release, operatorNamespace);
  if (deployment === undefined) throw new Error('The chart is not installed.');
  const { serviceAccountName, containers } = deployment.spec.template.spec;
  const variables = (containers[0]?.env ?? []).map(({ name, value = '' }) => [name, value] as const);
  const chartLease = variables.find(([name]) => name === 'TIDEMARK_LEASE_NAME')?.[1] ?? '';
  const lease = namespace === undefined ? chartLease : `${chartLease}-${namespace}`;
  const environment = {
    ...Object.fromEntries(variables),
    TIDEMARK_LEASE_NAMESPACE: operatorNamespace,
    TIDEMARK_LEASE_NAME: lease,
    ...(namespace === undefined ? {} : { TIDEMARK_WATCH_NAMESPACES: namespace }),
  };
  const limit = quantityOf(containers[0]?.resources.limits.memory ?? '');
  return { account: serviceAccountName, lease, heapMebibytes: Math.floor(limit / 2 ** 21), environment };
}

async function kubeconfigFor(kubectl: Kubectl, account: string, server: string): Promise<string> {
  const asked = ['create', 'token', account, '--duration=4h'];
  const token = (await kubectl.run(asked, { namespace: operatorNamespace })).trim();
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'proxy',
    contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'operator', namespace: operatorNamespace } }],
    clusters: [{ name: 'proxy', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'operator', user: { token } }],
  });
}
