import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { documents, projectRoot, type Rendered, renderText } from './render.ts';

/**
 * manifests/install.yaml is the chart with its defaults, without Helm's marks and with its namespace: for those who have
 * kubectl alone. `node test/support/chart/install-manifest.ts` writes it.
 */
export const path = join(projectRoot, 'manifests', 'install.yaml');

export async function installManifest(): Promise<string> {
  const rendered = documents(await renderText([], ['--skip-tests']));
  const head =
    "# Everything that `helm install` makes with the chart's defaults. Generated from charts/tidemark: do not edit.\n";
  const all = [
    namespace,
    ...rendered.filter(isDefinition),
    ...rendered.filter((object) => !isDefinition(object)).map(unmarked),
  ];
  return (
    head +
    all
      .map(
        (object) =>
          `---\n${stringify(unmarked(object), { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false })}`,
      )
      .join('')
  );
}

const namespace: Rendered = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: 'tidemark-system',
    labels: { 'app.kubernetes.io/name': 'tidemark', 'pod-security.kubernetes.io/enforce': 'restricted' },
  },
};

function isDefinition({ kind }: Rendered): boolean {
  return kind === 'CustomResourceDefinition';
}

function unmarked(object: Rendered): Rendered {
  return withoutMarks(object) as Rendered;
}

function withoutMarks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMarks);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key]) => !key.startsWith('helm.sh/') && key !== 'app.kubernetes.io/managed-by',
  );
  return Object.fromEntries(
    kept
      .map(([key, child]) => [key, withoutMarks(child)])
      .filter(([key, child]) => key !== 'annotations' || !isEmpty(child)),
  );
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

export async function committed(): Promise<string> {
  return await readFile(path, 'utf8');
}

if (import.meta.main) await writeFile(path, await installManifest());
