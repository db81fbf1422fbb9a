import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Kind } from '../../../src/api/kinds.ts';
import { type StructuralSchema, structural } from '../../../src/api/structural.ts';

/** A place in a spec: names of fields, 0 for the first of a list, `{}` for an entry of a map. */
export type Path = readonly (string | 0)[];

/** Every field of a kind's spec that takes text, as the schemas have it: a new one is tested by being there. */
export function textFields(kind: Kind): readonly Path[] {
  return walk(structural(kind.spec), []);
}

function walk(schema: StructuralSchema, path: Path): readonly Path[] {
  if (schema.enum !== undefined) return [];
  if (schema.type === 'string' || schema['x-kubernetes-int-or-string'] === true) return [path];
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => walk(field, [...path, name]));
  const items = schema.items === undefined ? [] : walk(schema.items, [...path, 0]);
  const values = schema.additionalProperties === undefined ? [] : walk(schema.additionalProperties, [...path, '{}']);
  const keys: readonly Path[] = schema.additionalProperties === undefined ? [] : [[...path, '{key}']];
  return [...fields, ...items, ...values, ...keys];
}

/** What programs, shells, SQL, paths and terminals might take for something else than a name. */
export const evil: readonly string[] = [
  ...['../../x', '../..', '..', '.', '/etc/passwd', '/', 'a/../../b', '..\\..\\x', '%2e%2e%2fx', 'file:///etc/passwd'],
  ...[
    '$(touch /tmp/tidemark-evil)',
    '`touch /tmp/tidemark-evil`',
    '; rm -rf /',
    '| id',
    '&& id',
    '$' + '{IFS}id',
    '$HOME',
  ],
  ...['a\nb', 'a\r\nb', 'a\0b', '\u0000', '\u001b[2J', 'a\tb', '\u2028', '\u0085'],
  ...['--file=/etc/passwd', '--dbname=postgres', '-f', '-', '--', '--config=/x', '-o ProxyCommand=id'],
  ...["'", '"', "' OR '1'='1", '"; DROP DATABASE shop; --', "'; DROP ROLE x; --", '$$; SELECT 1; $$', '\\', "\\'"],
  ...['dbname=postgres host=evil', 'postgresql://evil/x', 'host=evil', "x' host='evil"],
  ...[
    '\u202eevil',
    '\u200b',
    'ﬁ',
    '💥',
    '\ud800',
    'İ',
    '__proto__',
    'constructor',
    'null',
    '*',
    '?',
    '{{ . }}',
    '{"a":1}',
  ],
  ...['a'.repeat(10_000), ' ', '', 'A b', 'a,b=c', 'offsite,ssh=id:x', ':sftp,ssh=id:x', 'kube-system/x'],
];

const examples = join(import.meta.dirname, '../../unit/api/manifests');
const samples = join(import.meta.dirname, '../../..', 'manifests/samples');
const fingerprint = '0123456789ABCDEF0123456789ABCDEF01234567';

/** Whole objects, which between them have every field there is: fields.test.ts finds the one that is missing. */
export function bases({ kind }: Kind): readonly object[] {
  const names: Readonly<Record<string, readonly string[]>> = {
    BackupPolicy: ['backup-policy'],
    BackupRepository: ['backup-repository'],
    BackupRun: ['backup-run'],
    RestoreRequest: ['restore-request'],
    PitrRecovery: ['pitr-recovery'],
  };
  const written = (names[kind] ?? []).flatMap((name) =>
    parseAllDocuments(readFileSync(join(examples, `${name}.yaml`), 'utf8')).map((document) => document.toJS().spec),
  );
  return [...written, ...(more[kind] ?? [])];
}

export { samples };

const secret = { name: 'a', key: 'b' };
const tls = { caSecretRef: secret, clientCertificateSecretRef: { name: 'c' } };
const host = { host: 'db', credentialsSecretRef: { name: 'a' }, tls };
const hook = { exec: { container: 'c', command: ['x'] } };
const call = { url: 'https://a.b', headers: [{ name: 'Authorization', secretKeyRef: secret }], caSecretRef: secret };
const verification = {
  cron: '0 5 * * 6',
  image: 'postgres:17',
  assertions: [{ database: 'd', query: 'q', expect: 'e' }],
};
const affinityTerm = {
  topologyKey: 'zone',
  namespaces: ['a'],
  labelSelector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
  namespaceSelector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
};
const podAffinity = {
  requiredDuringSchedulingIgnoredDuringExecution: [affinityTerm],
  preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: affinityTerm }],
};
const nodeTerm = {
  matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }],
  matchFields: [{ key: 'a', operator: 'In', values: ['b'] }],
};
const template = {
  resources: { requests: { cpu: '1' }, limits: { cpu: '2' } },
  nodeSelector: { a: 'b' },
  tolerations: [{ key: 'a', operator: 'Equal', value: 'b' }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [nodeTerm] },
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: nodeTerm }],
    },
    podAffinity,
    podAntiAffinity: podAffinity,
  },
  priorityClassName: 'low',
  annotations: { a: 'b' },
  labels: { a: 'b' },
  imagePullSecrets: [{ name: 'a' }],
  serviceAccountName: 'a',
  scratch: { size: '1Gi', storageClassName: 'fast' },
};
const patterns = { include: ['a'], exclude: ['b'] };
const database = { name: 'a', targetName: 'b', schemas: patterns, tables: patterns };
const policy = { source: host, repositoryRefs: [{ name: 'offsite' }] };

const more: Readonly<Record<string, readonly object[]>> = {
  BackupPolicy: [
    {
      ...policy,
      schedules: [{ name: 'a', cron: '0 3 * * *', timeZone: 'Etc/UTC', method: 'Logical' }],
      logical: {
        databases: patterns,
        schemas: patterns,
        tables: { ...patterns, excludeData: ['c'] },
        extraArgs: ['--no-comments'],
      },
      physical: { maxRate: '200M' },
      retention: { recoveryWindow: '14d', timeZone: 'Etc/UTC' },
      verification: { ...verification, timeZone: 'Etc/UTC' },
      hooks: { preBackup: [{ http: call }], postBackup: [{ http: call }] },
      jobTemplate: template,
    },
    {
      ...policy,
      source: {
        workloadRef: { kind: 'StatefulSet', name: 'a' },
        container: 'c',
        credentialsSecretRef: { name: 'a' },
        tls,
      },
      walArchiving: { mode: 'Archive' },
      hooks: { preBackup: [hook], postBackup: [hook] },
    },
  ],
  BackupRepository: [
    {
      volume: { claimName: 'a', path: 'b' },
      encryption: {
        gpg: { publicKeySecretRef: secret, recipients: [fingerprint], identitySecretRef: secret },
      },
      catalogue: { namespaces: ['a'] },
    },
  ],
  RestoreRequest: [
    {
      source: { backupRunRef: { name: 'a' } },
      target: { server: { ...host, database: 'd' } },
      databases: [database],
      role: 'r',
      assertions: verification.assertions,
    },
    {
      source: { latest: { policyRef: { name: 'a' }, method: 'Logical' } },
      target: { ephemeral: { image: 'postgres:17' } },
      databases: [{ name: 'a', listFile: { configMapRef: secret } }],
    },
    {
      source: { repository: { repositoryRef: { name: 'a' }, backupID: '20261121T030000Z-logical' } },
      target: { instance: { name: 'copy', storage: { size: '1Gi', storageClassName: 'fast' }, image: 'postgres:17' } },
    },
  ],
  PitrRecovery: [
    {
      source: { repository: { repositoryRef: { name: 'a' }, policy: 'p', namespace: 'shop', systemIdentifier: '7' } },
      recoveryTarget: { targetName: 'n', backupID: '20261121T001541Z-physical-full' },
      target: { ephemeral: { image: 'postgres:17' } },
      extract: { databases: [database], into: { ...host, database: 'd' } },
      assertions: verification.assertions,
    },
    {
      source: { policyRef: { name: 'a' } },
      recoveryTarget: { targetTime: '2026-11-21T10:15:00Z' },
      target: {
        instance: {
          name: 'copy',
          storage: { size: '1Gi', storageClassName: 'fast' },
          image: 'postgres:17',
          standbyOf: { host: 'db', credentialsSecretRef: { name: 'a' } },
        },
      },
    },
  ],
};

/** The spec with a text at a place; undefined where this base has nothing there to be replaced. */
export function withText(base: object, path: Path, text: string): object | undefined {
  const copy = structuredClone(base) as Record<string, unknown>;
  let at: Record<string, unknown> = copy;
  for (const [index, name] of path.entries()) {
    const last = index === path.length - 1;
    if (name === '{key}') {
      Object.defineProperty(at, text, { value: 'x', enumerable: true, configurable: true, writable: true });
      return copy;
    }
    const key = name === '{}' ? (Object.keys(at)[0] ?? 'k') : String(name);
    if (last) {
      at[key] = text;
      return copy;
    }
    const next = at[key];
    if (typeof next !== 'object' || next === null) return undefined;
    at = next as Record<string, unknown>;
  }
  return undefined;
}
