import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { type CustomResourceDefinition, customResourceDefinition } from '../api/crd.ts';
import { kinds } from '../api/kinds.ts';

/** Writes the CustomResourceDefinitions, plain and as the chart's templates; with --check says what would change. */
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const root = join(import.meta.dirname, '../..');
const folders = { plain: 'crds', chart: 'charts/tidemark/templates/crds' };

const wanted = new Map(kinds.map(customResourceDefinition).flatMap(filesOf));
const present = new Map((await Promise.all(Object.values(folders).map(filesIn))).flat());
const drifted = [...new Set([...wanted.keys(), ...present.keys()])].filter(
  (path) => wanted.get(path) !== present.get(path),
);

if (values.check) {
  for (const path of drifted)
    process.stderr.write(`${path}: ${firstDifference(present.get(path), wanted.get(path))}\n`);
  if (drifted.length > 0) process.stderr.write('Run `npm run crdgen` and commit what it writes.\n');
  process.exitCode = drifted.length === 0 ? 0 : 1;
} else {
  for (const path of drifted) await put(path, wanted.get(path));
  process.stdout.write(`${wanted.size} files, ${drifted.length} changed\n`);
}

function filesOf(crd: CustomResourceDefinition): readonly [string, string][] {
  const name = `${crd.spec.group}_${crd.spec.names.plural}.yaml`;
  return [
    [join(folders.plain, name), yaml(crd)],
    [join(folders.chart, name), template(crd)],
  ];
}

function yaml(value: object): string {
  return stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false });
}

/** Helm never upgrades what lies in a chart's crds folder, so the definitions are templates (and kept on uninstall). */
function template(crd: CustomResourceDefinition): string {
  const { apiVersion, kind, metadata, spec } = crd;
  const body = yaml({ spec });
  if (body.includes('{{')) throw new Error(`${metadata.name} holds {{, which Helm would take for a template`);
  return [
    '{{- if .Values.crds.enabled }}',
    `${yaml({ apiVersion, kind, metadata }).trimEnd()}`,
    '  labels:',
    '    {{- include "tidemark.labels" . | nindent 4 }}',
    '  {{- if .Values.crds.keep }}',
    '  annotations:',
    '    helm.sh/resource-policy: keep',
    '  {{- end }}',
    `${body.trimEnd()}`,
    '{{- end }}',
    '',
  ].join('\n');
}

async function filesIn(folder: string): Promise<[string, string][]> {
  const names = await readdir(join(root, folder)).catch(() => []);
  return await Promise.all(
    names.map(
      async (name): Promise<[string, string]> => [join(folder, name), await readFile(join(root, folder, name), 'utf8')],
    ),
  );
}

async function put(path: string, content: string | undefined): Promise<void> {
  if (content === undefined) return await rm(join(root, path));
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

function firstDifference(present: string | undefined, wanted: string | undefined): string {
  if (present === undefined) return 'is missing';
  if (wanted === undefined) return 'belongs to no kind';
  const lines = { present: present.split('\n'), wanted: wanted.split('\n') };
  const index = lines.wanted.findIndex((line, number) => line !== lines.present[number]);
  const at = index < 0 ? lines.wanted.length : index;
  return `differs from the schemas at line ${at + 1}\n- ${lines.present[at] ?? ''}\n+ ${lines.wanted[at] ?? ''}`;
}
