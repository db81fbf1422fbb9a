import { join } from 'node:path';
import { execa } from 'execa';
import { chooseWay } from './choose-way.ts';
import { componentsOf } from './host/components.ts';
import { layout } from './host/layout.ts';
import { pidFile } from './host/up.ts';
import { startDetached, stopRecorded } from './process.ts';

/** Takes a part of the cluster away, without a word, until `end`. */
export interface Outage {
  end(): Promise<void>;
}

type Part = 'kube-apiserver' | 'kubelet';

const node = 'tidemark-control-plane';
const manifest = '/etc/kubernetes/manifests/kube-apiserver.yaml';
const aside = '/root/kube-apiserver.yaml';

export async function beginOutage(part: Part): Promise<Outage> {
  return (await chooseWay()) === 'host' ? await killOnHost(part) : await stopInKind(part);
}

async function killOnHost(part: Part): Promise<Outage> {
  const component = (await componentsOf({ log: () => undefined }))[part];
  await stopRecorded(pidFile(part), 0);
  const end = async () => {
    await startDetached({ ...component, pidFile: pidFile(part), logFile: join(layout.logs, `${part}.log`) });
  };
  return { end };
}

async function stopInKind(part: Part): Promise<Outage> {
  const inNode = async (...command: readonly string[]) => {
    await execa('docker', ['exec', node, ...command]);
  };
  if (part === 'kubelet') {
    await inNode('systemctl', 'stop', 'kubelet');
    return { end: () => inNode('systemctl', 'start', 'kubelet') };
  }
  await inNode('mv', manifest, aside);
  return { end: () => inNode('mv', aside, manifest) };
}

/** Has etcd forget all but the newest revision: who goes on from an older one is told 410 by a new API server. */
export async function forgetHistory(): Promise<void> {
  if ((await chooseWay()) === 'kind') {
    const etcdctl = ['crictl', 'ps', '--name', 'etcd', '-q'];
    const { stdout: container } = await execa('docker', ['exec', node, ...etcdctl]);
    const pki = '/etc/kubernetes/pki/etcd';
    const tls = [`--cacert=${pki}/ca.crt`, `--cert=${pki}/server.crt`, `--key=${pki}/server.key`];
    const run = (...args: readonly string[]) =>
      execa('docker', ['exec', node, 'crictl', 'exec', container.trim(), 'etcdctl', ...tls, ...args]);
    const { stdout } = await run('endpoint', 'status', '--write-out=json');
    await run('compact', String(JSON.parse(stdout)[0].Status.header.revision));
    return;
  }
  const ask = async (path: string, body: object) => {
    const url = `http://127.0.0.1:${layout.etcdPort}/v3/kv/${path}`;
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd said ${answer.status} to ${path}: ${await answer.text()}`);
    return (await answer.json()) as { readonly header: { readonly revision: string } };
  };
  const { header } = await ask('range', { key: Buffer.from('/').toString('base64'), limit: '1' });
  await ask('compaction', { revision: header.revision, physical: true });
}
