import { execa } from 'execa';
import { cacheFolder } from '../cache.ts';
import { withLock } from '../lock.ts';
import type { Kubectl } from './kubectl.ts';

export const operatorNamespace = 'tidemark-system';
export const release = 'tidemark';

interface InstallOptions {
  readonly kubectl: Kubectl;
  readonly helm: string;
  readonly kubeconfig: string;
  readonly images: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
  /** Further `--set` values. */
  readonly values?: readonly string[];
  /** A second operator beside the one that all tests share. */
  readonly as?: { readonly release: string; readonly namespace: string };
}

/**
 * The chart as a user installs it, with the images that were built here; an installed one is upgraded to them. Helm refuses
 * a second operation on a release, so test runs beside one another take turns.
 */
export async function installTidemark(options: InstallOptions): Promise<void> {
  await withLock(cacheFolder('install.lock'), () => upgrade(options));
}

async function upgrade({
  kubectl,
  helm,
  kubeconfig,
  images,
  log,
  values = [],
  as = { release, namespace: operatorNamespace },
}: InstallOptions): Promise<void> {
  log('Installing the operator with Helm');
  const settings = [
    ...imageValues('operator', images['operator'] ?? ''),
    ...imageValues('agent', images['agent'] ?? ''),
    ...values,
  ];
  await execa(
    helm,
    [
      ...['--kubeconfig', kubeconfig, 'upgrade', '--install', as.release, 'charts/tidemark'],
      ...['--namespace', as.namespace, '--create-namespace', '--wait', '--timeout', '300s'],
      ...settings.flatMap((setting) => ['--set', setting]),
    ],
    { cwd: new URL('../../..', import.meta.url) },
  ).catch(async (error: unknown) => {
    const pods = await kubectl.run(['get', 'pods,events', '-o', 'wide'], { namespace: as.namespace }).catch(String);
    throw new Error(`Helm could not install the operator. The state of ${as.namespace}:\n${pods}`, {
      cause: error,
    });
  });
}

/** The `--set` values for an image. */
export function imageValues(program: 'operator' | 'agent', reference: string): readonly string[] {
  const colon = reference.lastIndexOf(':');
  return [
    `${program}.image.repository=${reference.slice(0, colon)}`,
    `${program}.image.tag=${reference.slice(colon + 1)}`,
  ];
}
