import { stringify } from 'yaml';
import { type CustomResourceDefinition, customResourceDefinition } from './crd.ts';
import { kinds } from './kinds.ts';

/** The folders that hold nothing but generated definitions. */
export const crdFolders = ['crds', 'charts/tidemark/templates/crds'] as const;

/** Every generated file by its path: each definition plain, for kubectl, and as a template of the chart. */
export function crdFiles(): ReadonlyMap<string, string> {
  const [plain, chart] = crdFolders;
  const files = kinds.map(customResourceDefinition).flatMap((crd): [string, string][] => {
    const name = `${crd.spec.group}_${crd.spec.names.plural}.yaml`;
    return [
      [`${plain}/${name}`, yaml(crd)],
      [`${chart}/${name}`, template(crd)],
    ];
  });
  return new Map(files);
}

/** Quoted as YAML 1.1 needs it, which is what Kubernetes reads. */
function yaml(value: object): string {
  return stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false });
}

/** Helm never upgrades what lies in a chart's crds folder, so the definitions are templates (and kept on uninstall). */
function template({ apiVersion, kind, metadata, spec }: CustomResourceDefinition): string {
  const body = yaml({ spec });
  if (body.includes('{{')) throw new Error(`${metadata.name} holds {{, which Helm would take for a template`);
  return [
    '{{- if .Values.crds.enabled }}',
    yaml({ apiVersion, kind, metadata }).trimEnd(),
    '  labels:',
    '    {{- include "tidemark.labels" . | nindent 4 }}',
    '  {{- if .Values.crds.keep }}',
    '  annotations:',
    '    helm.sh/resource-policy: keep',
    '  {{- end }}',
    body.trimEnd(),
    '{{- end }}',
    '',
  ].join('\n');
}
