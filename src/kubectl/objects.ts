import {
  type BackupPolicy,
  type BackupRepository,
  type BackupRun,
  backupPolicy,
  backupRepository,
  backupRun,
  type PitrRecovery,
  pitrRecovery,
  type RestoreRequest,
  restoreRequest,
} from '../api/kinds.ts';
import { ApiUnreachable, isAlreadyExists } from '../kube/api-error.ts';
import type { KubeObject } from '../kube/client.ts';
import { type Desired, read } from '../kube/objects.ts';
import { resourcePath } from '../kube/paths.ts';
import { exitCode, Stop } from './exit-code.ts';
import { fieldManager, type Session } from './session.ts';

/** What each kind is as the API server gives it: its defaults are filled in there. */
export interface Kinds {
  readonly BackupPolicy: BackupPolicy;
  readonly BackupRepository: BackupRepository;
  readonly BackupRun: BackupRun;
  readonly RestoreRequest: RestoreRequest;
  readonly PitrRecovery: PitrRecovery;
}
export type KindName = keyof Kinds;
/** What is done once, and ends. */
export type WorkKind = 'BackupRun' | 'RestoreRequest' | 'PitrRecovery';
export type Work = Kinds[WorkKind];

export const described: Readonly<Record<KindName, { readonly plural: string; readonly shortName: string }>> = {
  BackupPolicy: backupPolicy,
  BackupRepository: backupRepository,
  BackupRun: backupRun,
  RestoreRequest: restoreRequest,
  PitrRecovery: pitrRecovery,
};

const pageSize = 500;
/** Names that a message lists. */
const mentioned = 8;

/** Every object of a kind in the session's namespace, or in all of them; in the order of their names. */
export async function list<Kind extends KindName>(
  session: Session,
  kind: Kind,
  everywhere = false,
): Promise<readonly Kinds[Kind][]> {
  const path = resourcePath(kind, everywhere ? {} : { namespace: session.namespace });
  const found = await listAll(session, path);
  // Items of a list do not say their kind.
  return found.map((item) => ({ ...item, kind, apiVersion: 'tidemark.dev/v1alpha1' })) as unknown as Kinds[Kind][];
}

/** All pages of a collection. */
export async function listAll(
  { client, signal }: Session,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<readonly KubeObject[]> {
  const items: KubeObject[] = [];
  let token: string | undefined;
  do {
    const page: Page = await client.request<Page>('GET', path, {
      query: { ...query, limit: pageSize, ...(token === undefined ? {} : { continue: token }) },
      signal,
    });
    items.push(...page.items);
    token = page.metadata.continue || undefined;
  } while (token !== undefined);
  return items;
}

interface Page {
  readonly items: readonly KubeObject[];
  readonly metadata: { readonly continue?: string };
}

export async function find<Kind extends KindName>(
  { client, namespace, signal }: Session,
  kind: Kind,
  name: string,
): Promise<Kinds[Kind] | undefined> {
  return await read<Kinds[Kind]>(client, kind, namespace, checkedName(name), signal);
}

/** As find; where there is none, the error names those that there are. */
export async function get<Kind extends KindName>(session: Session, kind: Kind, name: string): Promise<Kinds[Kind]> {
  const found = await find(session, kind, name);
  if (found !== undefined) return found;
  const names = (await list(session, kind)).map(({ metadata }) => metadata.name);
  throw new Stop(
    exitCode.refused,
    `There is no ${kind} ${name} in the namespace ${session.namespace}. ${others(names)}`,
  );
}

function others(names: readonly string[]): string {
  if (names.length === 0) return 'There is none at all: another namespace (--namespace)?';
  const more = names.length > mentioned ? `, and ${names.length - mentioned} more` : '';
  return `There are: ${names.slice(0, mentioned).join(', ')}${more}.`;
}

/** A name that could not be one never reaches a path. */
function checkedName(name: string): string {
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) return name;
  throw new Stop(
    exitCode.usage,
    `${JSON.stringify(name)} cannot be the name of an object: those have lower-case letters, digits, hyphens and dots.`,
  );
}

/** An object to be made, as `kubectl create -f` would take it. */
export type Manifest = Desired & { readonly spec: object };

export async function create<Kind extends WorkKind>(
  { client, signal }: Session,
  manifest: Manifest & { readonly kind: Kind },
): Promise<Kinds[Kind]> {
  const { name, namespace } = manifest.metadata;
  try {
    const path = resourcePath(manifest.kind, { namespace });
    return await client.request<Kinds[Kind]>('POST', path, { body: manifest, query: { fieldManager }, signal });
  } catch (error) {
    if (error instanceof ApiUnreachable) {
      const look = `kubectl --namespace ${namespace} get ${manifest.kind.toLowerCase()} ${name}`;
      const words = `${error.message}. It may have been made nevertheless; look before you try again: ${look}`;
      throw new Stop(exitCode.unreachable, words, error);
    }
    if (!isAlreadyExists(error)) throw error;
    const message = `There is a ${manifest.kind} ${name} in the namespace ${namespace} already. Choose another --name.`;
    throw new Stop(exitCode.refused, message, error);
  }
}

/** A name that begins as said, ends in the session's suffix and is short enough for its kind. */
export function freshName(session: Session, beginning: string, limit: number): string {
  const suffix = session.suffix();
  return `${beginning.slice(0, limit - suffix.length - 1).replace(/[-.]+$/, '')}-${suffix}`;
}

export function manifest<Kind extends WorkKind>(
  kind: Kind,
  name: string,
  namespace: string,
  spec: object,
): Manifest & { readonly kind: Kind } {
  checkedName(name);
  return { apiVersion: 'tidemark.dev/v1alpha1', kind, metadata: { name, namespace }, spec };
}
