import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ensureTool } from '../tools.ts';
import { kubeconfigOf } from './certificates.ts';
import { layout, pauseImage } from './layout.ts';

export interface Component {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

interface Log {
  readonly log: (line: string) => void;
}

/** In the order in which they start; each waits for what it needs by itself, or its caller does. */
export async function componentsOf(options: Log): Promise<Readonly<Record<ComponentName, Component>>> {
  const kubernetes = async (name: Parameters<typeof ensureTool>[0]) => await ensureTool(name, options);
  return {
    etcd: etcd(),
    'kube-apiserver': await apiServer(kubernetes),
    'kube-controller-manager': await controllerManager(kubernetes),
    'kube-scheduler': {
      name: 'kube-scheduler',
      command: await kubernetes('kube-scheduler'),
      args: [
        `--kubeconfig=${kubeconfigOf('scheduler')}`,
        '--leader-elect=false',
        '--bind-address=127.0.0.1',
        '--secure-port=16259',
        '--pod-max-in-unschedulable-pods-duration=10s',
      ],
    },
    containerd: await containerd(),
    kubelet: await kubelet(kubernetes),
    'kube-proxy': await kubeProxy(kubernetes),
    coredns: await coreDns(options),
  };
}

export const componentNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'containerd',
  'kubelet',
  'kube-proxy',
  'coredns',
] as const;
export type ComponentName = (typeof componentNames)[number];

type Kubernetes = (name: Parameters<typeof ensureTool>[0]) => Promise<string>;
const pki = (file: string) => join(layout.certificates, file);

function etcd(): Component {
  const url = `http://127.0.0.1:${layout.etcdPort}`;
  const peer = `http://127.0.0.1:${layout.etcdPort + 1}`;
  return {
    name: 'etcd',
    command: 'etcd',
    args: [
      ...['--name=tidemark', `--data-dir=${layout.etcd}`, '--unsafe-no-fsync', '--log-level=warn'],
      ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`, `--listen-peer-urls=${peer}`],
      ...[`--initial-advertise-peer-urls=${peer}`, `--initial-cluster=tidemark=${peer}`],
    ],
    environment: { ETCD_UNSUPPORTED_ARCH: '' },
  };
}

async function apiServer(kubernetes: Kubernetes): Promise<Component> {
  return {
    name: 'kube-apiserver',
    command: await kubernetes('kube-apiserver'),
    args: [
      ...[`--advertise-address=${layout.node}`, `--bind-address=${layout.node}`, `--secure-port=${layout.apiPort}`],
      ...[`--etcd-servers=http://127.0.0.1:${layout.etcdPort}`, `--service-cluster-ip-range=${layout.serviceNetwork}`],
      ...[
        `--client-ca-file=${pki('ca.crt')}`,
        `--tls-cert-file=${pki('apiserver.crt')}`,
        `--tls-private-key-file=${pki('apiserver.key')}`,
      ],
      ...[
        `--kubelet-client-certificate=${pki('kubelet-client.crt')}`,
        `--kubelet-client-key=${pki('kubelet-client.key')}`,
      ],
      ...[
        `--service-account-key-file=${pki('service-accounts.pub')}`,
        `--service-account-signing-key-file=${pki('service-accounts.key')}`,
      ],
      ...['--service-account-issuer=https://kubernetes.default.svc.cluster.local', '--authorization-mode=Node,RBAC'],
      ...[
        '--kubelet-preferred-address-types=InternalIP',
        '--endpoint-reconciler-type=lease',
        '--allow-privileged=true',
      ],
      ...['--enable-admission-plugins=NodeRestriction', '--profiling=false'],
    ],
  };
}

async function controllerManager(kubernetes: Kubernetes): Promise<Component> {
  return {
    name: 'kube-controller-manager',
    command: await kubernetes('kube-controller-manager'),
    args: [
      ...[
        `--kubeconfig=${kubeconfigOf('controller-manager')}`,
        '--leader-elect=false',
        '--use-service-account-credentials=true',
      ],
      ...[`--service-account-private-key-file=${pki('service-accounts.key')}`, `--root-ca-file=${pki('ca.crt')}`],
      ...['--enable-hostpath-provisioner=true', '--bind-address=127.0.0.1', '--secure-port=16257'],
    ],
  };
}

async function containerd(): Promise<Component> {
  const file = join(layout.state, 'containerd.toml');
  await writeFile(
    file,
    `version = 2
root = "${layout.containerd}"
state = "${layout.run}/containerd"
[grpc]
address = "${layout.containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
# Without CAP_SYS_RESOURCE a lower oom_score_adj than one's own cannot be set: "can't get final child's PID from pipe: EOF".
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${layout.cni}/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`,
  );
  return { name: 'containerd', command: 'containerd', args: ['--config', file] };
}

async function kubelet(kubernetes: Kubernetes): Promise<Component> {
  const file = join(layout.state, 'kubelet.yaml');
  const resolver = join(layout.state, 'resolv.conf');
  await writeFile(resolver, `nameserver ${layout.node}\n`);
  const configuration = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      x509: { clientCAFile: pki('ca.crt') },
      webhook: { enabled: true },
      anonymous: { enabled: false },
    },
    authorization: { mode: 'Webhook' },
    cgroupDriver: 'cgroupfs',
    failSwapOn: false,
    failCgroupV1: false,
    clusterDNS: [layout.node],
    clusterDomain: 'cluster.local',
    resolvConf: resolver,
    containerRuntimeEndpoint: `unix://${layout.containerdSocket}`,
    // The host's disk is the user's own: neither its fullness nor its images are this kubelet's to judge.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '200Mi', 'imagefs.available': '200Mi' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    maxPods: 200,
    serializeImagePulls: false,
    makeIPTablesUtilChains: false,
    protectKernelDefaults: false,
    localStorageCapacityIsolation: true,
    enforceNodeAllocatable: [],
    syncFrequency: '10s',
    nodeStatusReportFrequency: '30s',
    registerWithTaints: [],
    volumePluginDir: join(layout.kubelet, 'volume-plugins'),
  };
  await writeFile(file, stringify(configuration));
  return {
    name: 'kubelet',
    command: await kubernetes('kubelet'),
    args: [
      ...[`--config=${file}`, `--kubeconfig=${kubeconfigOf('kubelet')}`, `--root-dir=${layout.kubelet}`],
      ...[`--cert-dir=${join(layout.kubelet, 'pki')}`, '--hostname-override=tidemark', `--node-ip=${layout.node}`],
    ],
  };
}

async function kubeProxy(kubernetes: Kubernetes): Promise<Component> {
  return {
    name: 'kube-proxy',
    command: await kubernetes('kube-proxy'),
    args: [
      ...[`--kubeconfig=${kubeconfigOf('kube-proxy')}`, '--proxy-mode=nftables', '--hostname-override=tidemark'],
      ...['--conntrack-max-per-core=0', `--cluster-cidr=${layout.podNetwork}`, '--masquerade-all'],
      ...['--healthz-bind-address=127.0.0.1:16256', '--metrics-bind-address=127.0.0.1:16249'],
    ],
  };
}

/** Names of the cluster; every other name does not exist, which is an answer, where a refusal would be a fault to retry. */
async function coreDns(options: Log): Promise<Component> {
  const file = join(layout.state, 'Corefile');
  await writeFile(
    file,
    `cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
  bind ${layout.node}
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${layout.adminKubeconfig} tidemark
    pods insecure
    ttl 2
  }
}
.:53 {
  bind ${layout.node}
  errors
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`,
  );
  return {
    name: 'coredns',
    command: await ensureTool('coredns', options),
    args: ['-conf', file],
    environment: { GOMAXPROCS: String(Math.min(2, cpus().length)) },
  };
}
