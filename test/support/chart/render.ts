import { join } from 'node:path';
import { execa } from 'execa';
import { parseAllDocuments } from 'yaml';
import { ensureTool } from '../cluster/tools.ts';

export const projectRoot = join(import.meta.dirname, '../../..');
const chart = 'charts/tidemark';
/** A helm built from its module takes itself for a very old Kubernetes, unless it is told. */
const kubeVersion = 'v1.34.1';

export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export async function helm(): Promise<string> {
  return await ensureTool('helm', { log: () => undefined });
}

/** What `helm install tidemark` would apply with these values, as text. Rejects with Helm's words. */
export async function renderText(settings: readonly string[] = [], options: readonly string[] = []): Promise<string> {
  const { stdout } = await execa(
    await helm(),
    [
      ...['template', 'tidemark', chart, '--namespace', 'tidemark-system', '--kube-version', kubeVersion, ...options],
      ...settings.flatMap((setting) => ['--set', setting]),
    ],
    { cwd: projectRoot },
  );
  return stdout;
}

const rendered = new Map<string, Promise<readonly Rendered[]>>();

/** What the same values render is asked of Helm once; nobody changes it. */
export function render(...settings: readonly string[]): Promise<readonly Rendered[]> {
  const key = JSON.stringify(settings);
  const asked = rendered.get(key) ?? renderText(settings).then(documents);
  rendered.set(key, asked);
  return asked;
}

export function documents(text: string): readonly Rendered[] {
  return parseAllDocuments(text, { version: '1.1' })
    .map((document) => document.toJS() as Rendered | null)
    .filter((document) => document !== null);
}

/** Strict: a warning fails. */
export async function lint(): Promise<string> {
  const { stdout } = await execa(await helm(), ['lint', '--strict', '--kube-version', kubeVersion, chart], {
    cwd: projectRoot,
  });
  return stdout;
}
