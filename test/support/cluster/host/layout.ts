import { join } from 'node:path';

/** Where the host cluster keeps itself, and the addresses that it takes. One host cluster a machine. */
const state = '/var/lib/tidemark-cluster';

export const layout = {
  state,
  /** Sockets: short paths, since a socket's may have 107 bytes. */
  run: '/run/tidemark-cluster',
  pids: join(state, 'pids'),
  logs: join(state, 'logs'),
  certificates: join(state, 'pki'),
  kubeconfigs: join(state, 'kubeconfig'),
  adminKubeconfig: join(state, 'kubeconfig', 'admin.conf'),
  etcd: join(state, 'etcd'),
  containerd: join(state, 'containerd'),
  containerdSocket: '/run/tidemark-cluster/containerd.sock',
  kubelet: join(state, 'kubelet'),
  cni: join(state, 'cni'),
  /** What was there before, to be put back by `down`. */
  previous: join(state, 'previous.json'),
  /** The hostPath provisioner of the controller manager knows no other place. */
  volumes: '/tmp/hostpath_pv',
  bridge: 'tidemark0',
  /** The node, the API server and the DNS server: the host's address on the bridge. */
  node: '10.213.0.1',
  podNetwork: '10.213.0.0/16',
  firstPod: '10.213.1.0',
  lastPod: '10.213.254.254',
  serviceNetwork: '10.214.0.0/16',
  kubernetesService: '10.214.0.1',
  apiPort: 16443,
  etcdPort: 12379,
} as const;

export const pauseImage = 'localhost/tidemark/pause:1';
