import { createHash } from 'node:crypto';
import { access, cp, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../cache.ts';
import { withLock } from '../lock.ts';
import { type Go, goToolchain } from './go.ts';

/** Programs of the tests' cluster, built from Go modules once and kept by version. */
const modules = {
  helm: 'helm.sh/helm/v3/cmd/helm@v3.22.0',
  versitygw: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0',
  'fake-gcs-server': 'github.com/fsouza/fake-gcs-server@v1.56.1',
  coredns: 'github.com/coredns/coredns@v1.15.0',
  kind: 'sigs.k8s.io/kind@v0.33.0',
} as const;

/** Of the Kubernetes program: one binary that is each component, by its own name. */
const components = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
  'kubectl',
  'pause',
] as const;

export type Tool = keyof typeof modules | (typeof components)[number];

interface ToolOptions {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** The path of a tool; built where it is not in the cache yet. Several processes may ask at once. */
export async function ensureTool(name: Tool, options: ToolOptions): Promise<string> {
  if (name === 'kubectl' || name === 'pause' || name.startsWith('kube'))
    return join(await ensureKubernetes(options), name);
  const module = modules[name as keyof typeof modules];
  const folder = cacheFolder('tools', module.replaceAll('/', '-'));
  const binary = join(folder, name);
  await built(binary, name, options, async (temporary, go) => {
    // versitygw runs in an image without a C library; the others do not mind.
    const linking = name === 'versitygw' ? { CGO_ENABLED: '0' } : {};
    await execa(go.path, ['install', '-trimpath', '-ldflags=-s -w', module], {
      env: { ...go.environment, ...linking, GOBIN: temporary, GOFLAGS: '' },
    });
  });
  return binary;
}

const source = new URL('./components/', import.meta.url).pathname;

/** A program of the tests' own, from a folder with its go.mod; built where that has changed. */
export async function ensureProgram(name: string, folder: string, options: ToolOptions): Promise<string> {
  const binary = join(cacheFolder('tools', `${name}-${await hashOf(folder)}`), name);
  await built(binary, name, options, async (temporary, go) => {
    await execa(go.path, ['build', '-trimpath', '-ldflags=-s -w', '-o', join(temporary, name), '.'], {
      cwd: folder,
      env: { ...go.environment, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
    });
  });
  return binary;
}

/** The folder with Kubernetes' own components, all links to one binary, and a pause program for the pods' sandboxes. */
async function ensureKubernetes(options: ToolOptions): Promise<string> {
  const folder = cacheFolder('tools', `kubernetes-${await hashOf(source)}`);
  await built(join(folder, 'kubelet'), 'Kubernetes (about 6 minutes on 2 cores)', options, async (temporary, go) => {
    const work = join(temporary, 'source');
    await cp(source, work, { recursive: true });
    const version = /k8s\.io\/kubernetes (v[0-9.]+)/.exec(await readFile(join(work, 'go.mod'), 'utf8'))?.[1];
    const flags = `-s -w -X k8s.io/component-base/version.gitVersion=${version} -X k8s.io/client-go/pkg/version.gitVersion=${version}`;
    const build = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
      execa(go.path, ['build', '-trimpath', ...args], {
        cwd: work,
        env: { ...go.environment, ...environment, GOFLAGS: '-mod=mod -buildvcs=false' },
      });
    await build([`-ldflags=${flags}`, '-o', join(temporary, 'kubernetes'), '.']);
    await build(['-ldflags=-s -w', '-o', join(temporary, 'pause'), './pause'], { CGO_ENABLED: '0' });
    for (const name of components.filter((component) => component !== 'pause'))
      await execa('ln', ['-s', 'kubernetes', join(temporary, name)]);
    await rm(work, { recursive: true, force: true });
  });
  return folder;
}

/** Builds into a temporary folder and renames it: a half-built tool is never found. */
async function built(
  binary: string,
  what: string,
  { log }: ToolOptions,
  build: (temporary: string, go: Go) => Promise<void>,
): Promise<void> {
  if (await exists(binary)) return;
  const folder = join(binary, '..');
  await withLock(`${folder}.lock`, async () => {
    if (await exists(binary)) return;
    const go = await goToolchain(log);
    log(`Building ${what}`);
    const begun = Date.now();
    const temporary = `${folder}.partial`;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await build(temporary, go);
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
    log(`Built ${what} in ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  });
}

async function hashOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const file of files.map((entry) => join(entry.parentPath, entry.name)).sort()) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 12);
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
