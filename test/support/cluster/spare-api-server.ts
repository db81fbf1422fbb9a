import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { freePort } from '../s3/server.ts';
import { type ServerProcess, startServerProcess } from '../server-process.ts';
import { ensureDebianPackages } from './packages.ts';
import { ensureTool } from './tools.ts';

export interface SpareApiServer {
  readonly kubectl: string;
  /** Of one who may do everything. */
  readonly kubeconfig: string;
  readonly stop: () => Promise<void>;
}

/**
 * A real, empty API server with an etcd of its own on this host, and nothing else of a cluster: for what cannot be done to
 * the one that all tests share. Objects are judged, stored and guarded by their rights; no pod ever runs.
 */
export async function startSpareApiServer(): Promise<SpareApiServer> {
  const options = { log: () => undefined };
  await ensureDebianPackages(['etcd-server'], options.log);
  const [kubectl, program] = [await ensureTool('kubectl', options), await ensureTool('kube-apiserver', options)];
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-api-server-'));
  const started: ServerProcess[] = [];
  const stop = async () => {
    for (const each of started.reverse()) await each.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [etcd, peer, port] = [await freePort(), await freePort(), await freePort()];
    started.push(await startServerProcess('etcd', ['etcd', ...etcdArguments(folder, etcd, peer)], { port: etcd }));
    const token = randomBytes(16).toString('hex');
    await writeFile(join(folder, 'tokens'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(join(folder, 'accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    started.push(
      await startServerProcess('kube-apiserver', [program, ...apiServerArguments(folder, etcd, port)], { port }),
    );
    const kubeconfig = join(folder, 'kubeconfig');
    const authority = await readFile(join(folder, 'certificates/apiserver.crt'), 'base64');
    await writeFile(kubeconfig, kubeconfigOf(port, token, authority), { mode: 0o600 });
    await untilReady(kubectl, kubeconfig);
    return { kubectl, kubeconfig, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function etcdArguments(folder: string, client: number, peer: number): readonly string[] {
  const [url, between] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  return [
    ...['--name=spare', `--data-dir=${join(folder, 'etcd')}`, '--unsafe-no-fsync', '--log-level=error'],
    ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`, `--listen-peer-urls=${between}`],
    ...[`--initial-advertise-peer-urls=${between}`, `--initial-cluster=spare=${between}`],
  ];
}

function apiServerArguments(folder: string, etcd: number, port: number): readonly string[] {
  const accounts = join(folder, 'accounts.key');
  return [
    ...['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', `--secure-port=${port}`],
    ...[`--etcd-servers=http://127.0.0.1:${etcd}`, '--service-cluster-ip-range=10.215.0.0/24'],
    ...[`--cert-dir=${join(folder, 'certificates')}`, `--token-auth-file=${join(folder, 'tokens')}`],
    ...[`--service-account-key-file=${accounts}`, `--service-account-signing-key-file=${accounts}`],
    ...['--service-account-issuer=https://kubernetes.default.svc', '--authorization-mode=RBAC'],
    ...['--endpoint-reconciler-type=none', '--profiling=false'],
  ];
}

function kubeconfigOf(port: number, token: string, authority: string): string {
  const cluster = { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': authority };
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'spare' },
    clusters: [{ name: 'spare', cluster }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'spare', context: { cluster: 'spare', user: 'admin' } }],
  });
}

async function untilReady(kubectl: string, kubeconfig: string): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const asked = await execa(kubectl, ['--kubeconfig', kubeconfig, 'get', '--raw', '/readyz'], { reject: false });
    if (!asked.failed) return;
    if (Date.now() > deadline) throw new Error(`The API server is not ready: ${asked.stderr}`);
    await pause(200);
  }
}
