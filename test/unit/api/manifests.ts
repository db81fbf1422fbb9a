import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Kind, kinds } from '../../../src/api/kinds.ts';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Every form of every kind, as the reference documents it: each branch of each union occurs. */
export function manifests(): readonly Manifest[] {
  const folder = join(import.meta.dirname, 'manifests');
  return readdirSync(folder)
    .sort()
    .flatMap((file) =>
      parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => document.toJS() as Manifest),
    );
}

export function kindOf(name: string): Kind {
  const kind = kinds.find((candidate) => candidate.kind === name);
  if (kind === undefined) throw new Error(`There is no kind ${name}`);
  return kind;
}

/** The manifest of that name, with one change to its spec: a path such as schedules.0.cron, and the value put there. */
export function changed(name: string, path: string, value: unknown): Manifest {
  const found = manifests().find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`There is no manifest ${name}`);
  const copy = structuredClone(found);
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  const parent = keys.reduce<Record<string, unknown>>(
    (node, key) => {
      node[key] ??= {};
      return node[key] as Record<string, unknown>;
    },
    copy.spec as Record<string, unknown>,
  );
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}
