import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { layout } from './layout.ts';

const settings = ['/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/bridge/bridge-nf-call-iptables'] as const;

/** The bridge with the node's address, forwarding, and the CNI configuration. What the host had is remembered first. */
export async function raiseNetwork(): Promise<void> {
  await remember();
  await ip(['link', 'add', layout.bridge, 'type', 'bridge'], true);
  await ip(['address', 'replace', `${layout.node}/16`, 'dev', layout.bridge]);
  await ip(['link', 'set', layout.bridge, 'up']);
  // kube-proxy rewrites what is sent to a service's address; a host without a default route would not even send it.
  await ip(['route', 'replace', layout.serviceNetwork, 'dev', layout.bridge]);
  for (const setting of settings) await writeFile(setting, '1').catch(() => undefined);
  await writeCniConfiguration();
}

export async function removeNetwork(): Promise<void> {
  for (const name of await podNamespaces()) await execa('ip', ['netns', 'delete', name], { reject: false });
  await ip(['link', 'delete', layout.bridge], true);
  for (const family of ['ip', 'ip6']) await execa('nft', ['delete', 'table', family, 'kube-proxy'], { reject: false });
  const previous = await readFile(layout.previous, 'utf8').then(JSON.parse, () => ({}) as Record<string, string>);
  for (const [setting, value] of Object.entries(previous))
    await writeFile(setting, String(value)).catch(() => undefined);
}

/** What of the network is still there. */
export async function remainingNetwork(): Promise<readonly string[]> {
  const links = await execa('ip', ['-brief', 'link', 'show', layout.bridge], { reject: false });
  const tables = await execa('nft', ['list', 'tables'], { reject: false });
  return [
    ...(links.failed ? [] : [`bridge ${layout.bridge}`]),
    ...tables.stdout.split('\n').filter((line) => line.includes('kube-proxy')),
    ...(await podNamespaces()).map((name) => `network namespace ${name}`),
  ];
}

/** Network namespaces of the cluster's pods: those with an address of the pod network. */
async function podNamespaces(): Promise<readonly string[]> {
  const names = (await readdir('/var/run/netns').catch(() => [])).filter((name) => name.startsWith('cni-'));
  const ours = await Promise.all(
    names.map(async (name) => {
      const { stdout, failed } = await execa('ip', ['-netns', name, '-4', '-brief', 'address'], { reject: false });
      // A namespace that lost its last process and its link is one that nobody can use any more.
      return failed || stdout.includes(podPrefix) || !/^eth/m.test(stdout);
    }),
  );
  return names.filter((_, index) => ours[index]);
}

const podPrefix = layout.podNetwork.split('.').slice(0, 2).join('.');

async function remember(): Promise<void> {
  const known = await readFile(layout.previous, 'utf8').catch(() => undefined);
  if (known !== undefined) return;
  const values = await Promise.all(
    settings.map(async (setting) => [setting, (await readFile(setting, 'utf8').catch(() => '')).trim()] as const),
  );
  await writeFile(layout.previous, JSON.stringify(Object.fromEntries(values.filter(([, value]) => value !== ''))));
}

async function writeCniConfiguration(): Promise<void> {
  const folder = join(layout.cni, 'net.d');
  await mkdir(folder, { recursive: true });
  const ipam = {
    type: 'host-local',
    dataDir: join(layout.cni, 'addresses'),
    ranges: [
      [{ subnet: layout.podNetwork, rangeStart: layout.firstPod, rangeEnd: layout.lastPod, gateway: layout.node }],
    ],
  };
  const bridge = {
    type: 'bridge',
    bridge: layout.bridge,
    isDefaultGateway: true,
    ipMasq: false,
    hairpinMode: true,
    ipam,
  };
  const list = { cniVersion: '0.4.0', name: 'tidemark', plugins: [bridge] };
  await writeFile(join(folder, '10-tidemark.conflist'), JSON.stringify(list, undefined, 2));
}

async function ip(args: readonly string[], mayFail = false): Promise<void> {
  await execa('ip', args, { reject: !mayFail });
}
