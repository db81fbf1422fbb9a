import { isAlreadyExists, isNotFound } from './api-error.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { resourcePath } from './paths.ts';

/** An object to be written: what the API server wants to know, no more. */
export interface Desired {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** The object, or undefined where there is none. */
export async function read<Shape = KubeObject>(client: KubeClient, kind: string, namespace: string, name: string, signal: AbortSignal): Promise<Shape | undefined> {
  try {
    return await client.request<Shape>('GET', resourcePath(kind, { namespace, name }), { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Server-side apply of the full set of fields that this field manager owns; an absent object is created. */
export async function apply(client: KubeClient, object: Desired, fieldManager: string, signal: AbortSignal): Promise<KubeObject> {
  const { name, namespace } = object.metadata;
  return await client.request('PATCH', resourcePath(object.kind, { namespace, name }), applying(object, fieldManager, signal));
}

/** As apply, of /status. Never creates: where the object is gone this is a 404. */
export async function applyStatus(client: KubeClient, object: Desired, fieldManager: string, signal: AbortSignal): Promise<KubeObject> {
  const { name, namespace } = object.metadata;
  return await client.request('PATCH', resourcePath(object.kind, { namespace, name, subresource: 'status' }), applying(object, fieldManager, signal));
}

/** Creates the object, unless one of its name exists: then answers false and leaves that as it is. */
export async function createIfAbsent(client: KubeClient, object: Desired, fieldManager: string, signal: AbortSignal): Promise<boolean> {
  const { namespace } = object.metadata;
  try {
    await client.request('POST', resourcePath(object.kind, { namespace }), { body: object, query: { fieldManager }, signal });
    return true;
  } catch (error) {
    if (isAlreadyExists(error)) return false;
    throw error;
  }
}

interface Removal {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Only the object that was looked at, not one that took its name since. */
  readonly uid: string;
}

/** Deletes in the background: dependents go after it. An object that is gone already is fine. */
export async function remove(client: KubeClient, { kind, namespace, name, uid }: Removal, signal: AbortSignal): Promise<void> {
  try {
    await client.request('DELETE', resourcePath(kind, { namespace, name }), {
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions: { uid } },
      signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Sets the finalizers, if nobody changed the object since it was looked at; a 409 or 422 means look again. */
export async function patchFinalizers(client: KubeClient, object: KubeObject & { readonly kind: string }, finalizers: readonly string[], signal: AbortSignal): Promise<void> {
  const { name, namespace, resourceVersion, finalizers: present } = object.metadata;
  const value = finalizers.length === 0 ? [{ op: 'remove', path: '/metadata/finalizers' }] : [{ op: 'add', path: '/metadata/finalizers', value: finalizers }];
  if (finalizers.length === 0 && present === undefined) return;
  try {
    await client.request('PATCH', resourcePath(object.kind, { namespace, name }), {
      body: [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }, ...value],
      contentType: 'application/json-patch+json',
      signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

function applying(body: Desired, fieldManager: string, signal: AbortSignal) {
  return { body, query: { fieldManager, force: true }, contentType: 'application/apply-patch+yaml', signal } as const;
}
