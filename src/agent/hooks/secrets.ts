import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hook } from '../../api/hooks.ts';
import type { NamedHook } from '../../domain/hooks/name.ts';
import { mounts } from '../../domain/mounts.ts';

export interface HookSecrets {
  readonly headers: Readonly<Record<string, string>>;
  readonly ca: string | undefined;
}

/** What was mounted for an HTTP hook, or the sentence that says what is missing. */
export async function readSecrets(
  { list, index }: Pick<NamedHook, 'list' | 'index'>,
  http: NonNullable<Hook['http']>,
  namespace: string,
  mountRoot = '',
): Promise<HookSecrets | string> {
  const folder = join(mountRoot, mounts.hook(list, index));
  const headers: Record<string, string> = {};
  for (const [position, { name, secretKeyRef }] of (http.headers ?? []).entries()) {
    const value = await readOr(join(folder, `header-${position}`));
    if (value === undefined) return missing(namespace, secretKeyRef);
    headers[name.toLowerCase()] = value.trim();
  }
  if (http.caSecretRef === undefined) return { headers, ca: undefined };
  const ca = await readOr(join(folder, 'ca'));
  return ca === undefined ? missing(namespace, http.caSecretRef) : { headers, ca };
}

async function readOr(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}

function missing(namespace: string, { name, key }: { readonly name: string; readonly key: string }): string {
  return `The Secret ${namespace}/${name} with the key ${key}, which the hook needs, is not there. Create it, or correct the reference.`;
}
