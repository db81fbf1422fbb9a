import { access } from 'node:fs/promises';
import { execa } from 'execa';

export type Way = 'host' | 'kind';

/**
 * TIDEMARK_CLUSTER=kind|host decides; otherwise kind where a Docker engine answers, else the host's own components where
 * this is root on a Debian. Throws with exactly what is missing where neither can be had.
 */
export async function chooseWay(): Promise<Way> {
  const asked = process.env.TIDEMARK_CLUSTER;
  if (asked !== undefined && asked !== 'kind' && asked !== 'host')
    throw new Error(`TIDEMARK_CLUSTER is '${asked}'; it may be kind or host.`);
  const noKind = await missingForKind();
  const noHost = await missingForHost();
  if (asked !== 'host' && noKind === undefined) return 'kind';
  if (asked !== 'kind' && noHost === undefined) return 'host';
  const reasons = [
    asked === 'host' ? undefined : `kind: ${noKind}`,
    asked === 'kind' ? undefined : `host: ${noHost}`,
  ].filter(Boolean);
  throw new Error(`No Kubernetes can be raised here.\n  ${reasons.join('\n  ')}`);
}

async function missingForKind(): Promise<string | undefined> {
  const docker = await execa('docker', ['version', '--format', '{{.Server.Version}}'], {
    reject: false,
    timeout: 10_000,
  });
  if (!docker.failed) return undefined;
  return docker.code === 'ENOENT'
    ? 'Docker is not installed.'
    : `Docker's engine does not answer (${docker.stderr.split('\n')[0]}).`;
}

async function missingForHost(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `it needs Linux, and this is ${process.platform}.`;
  if (process.getuid?.() !== 0) return 'it needs root: it makes a network bridge, mounts and cgroups.';
  const debian = await access('/etc/debian_version').then(
    () => true,
    () => false,
  );
  return debian
    ? undefined
    : 'it needs Debian 12 or later: etcd, containerd and the CNI plugins come from its packages.';
}
