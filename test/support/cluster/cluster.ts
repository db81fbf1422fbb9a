import { execa } from 'execa';
import { chooseWay, type Way } from './choose-way.ts';
import { layout } from './host/layout.ts';
import { raiseHostCluster } from './host/up.ts';
import { kindHasImage, kindKubeconfig, loadIntoKind, raiseKindCluster } from './kind-cluster.ts';
import { ensureTool } from './tools.ts';

/** A real Kubernetes for tests and the demo. */
export interface Cluster {
  readonly way: Way;
  readonly kubeconfig: string;
  readonly helm: string;
  readonly kubectl: string;
  /** Makes an image of an OCI or Docker archive known to the node. */
  loadImage(archive: string): Promise<void>;
  hasImage(reference: string): Promise<boolean>;
}

/** Raises the cluster where it is not up; quick where it is. */
export async function ensureCluster(options: {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal;
}): Promise<Cluster> {
  const way = await chooseWay();
  await (way === 'kind' ? raiseKindCluster(options) : raiseHostCluster(options));
  const [helm, kubectl] = [await ensureTool('helm', options), await ensureTool('kubectl', options)];
  return way === 'kind'
    ? {
        way,
        helm,
        kubectl,
        kubeconfig: kindKubeconfig(),
        loadImage: (archive) => loadIntoKind(archive, options),
        hasImage: kindHasImage,
      }
    : { way, helm, kubectl, kubeconfig: layout.adminKubeconfig, loadImage: loadIntoHost, hasImage: hostHasImage };
}

async function loadIntoHost(archive: string): Promise<void> {
  await ctr('images', 'import', '--no-unpack', archive);
}

async function hostHasImage(reference: string): Promise<boolean> {
  return (await ctr('images', 'list', '--quiet')).split('\n').includes(reference);
}

async function ctr(...args: readonly string[]): Promise<string> {
  return (await execa('ctr', ['--address', layout.containerdSocket, '--namespace', 'k8s.io', ...args])).stdout;
}
