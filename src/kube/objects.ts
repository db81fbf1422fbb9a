import { ApiError, isAlreadyExists, isInvalid, isNotFound } from './api-error.ts';
import type { KubeClient, KubeObject, RequestOptions } from './client.ts';
import { resourcePath } from './paths.ts';

/** An object to be written: what the API server wants to know, no more. */
export interface Desired {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** The object, or undefined where there is none. */
export async function read<Shape = KubeObject>(
  client: KubeClient,
  kind: string,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Shape | undefined> {
  try {
    return await client.request<Shape>('GET', resourcePath(kind, { namespace, name }), { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Those of a namespace that a label selector picks. Items of a list say neither their kind nor their apiVersion. */
export async function list<Shape = KubeObject>(
  client: KubeClient,
  kind: string,
  namespace: string,
  labelSelector: string,
  signal: AbortSignal,
): Promise<readonly Shape[]> {
  const path = resourcePath(kind, { namespace });
  const { items } = await client.request<{ readonly items?: readonly Shape[] | null }>('GET', path, {
    query: { labelSelector },
    signal,
  });
  return items ?? [];
}

/** Server-side apply of the full set of fields that this field manager owns; an absent object is created. */
export async function apply(
  client: KubeClient,
  object: Desired,
  fieldManager: string,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { name, namespace } = object.metadata;
  return await patch(client, resourcePath(object.kind, { namespace, name }), applying(object, fieldManager, signal));
}

/** What apply() would do, without doing it: rejects where the API server, or what guards it, would not take the object. */
export async function rehearseApply(
  client: KubeClient,
  object: Desired,
  fieldManager: string,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace } = object.metadata;
  const { query, ...options } = applying(object, fieldManager, signal);
  await patch(client, resourcePath(object.kind, { namespace, name }), {
    ...options,
    query: { ...query, dryRun: 'All' },
  });
}

/**
 * As apply, of /status. Never creates: where the object is gone this is a 404; where `metadata.uid` is given and another
 * object has taken its name, a conflict.
 */
export async function applyStatus(
  client: KubeClient,
  object: Desired,
  fieldManager: string,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { name, namespace } = object.metadata;
  const path = resourcePath(object.kind, { namespace, name, subresource: 'status' });
  return await patch(client, path, applying(object, fieldManager, signal));
}

/** Creates the object, unless one of its name exists: then answers false and leaves that as it is. */
export async function createIfAbsent(
  client: KubeClient,
  object: Desired,
  fieldManager: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { namespace } = object.metadata;
  try {
    await client.request('POST', resourcePath(object.kind, { namespace }), {
      body: object,
      query: { fieldManager },
      signal,
    });
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
  /** Background, the default: dependents go after it. Foreground: before it. Orphan: they stay. */
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

/** An object that is gone already is fine; a conflict means that another has taken its name. */
export async function remove(client: KubeClient, removal: Removal, signal: AbortSignal): Promise<void> {
  const { kind, namespace, name, uid, propagationPolicy = 'Background' } = removal;
  try {
    await client.request('DELETE', resourcePath(kind, { namespace, name }), {
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, preconditions: { uid } },
      signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Sets the finalizers, if nobody changed the object since it was looked at: else a conflict. One that is gone is fine. */
export async function patchFinalizers(
  client: KubeClient,
  object: KubeObject & { readonly kind: string },
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace, uid, resourceVersion, finalizers: present } = object.metadata;
  const path = '/metadata/finalizers';
  if (finalizers.length === 0 && present === undefined) return;
  const change = finalizers.length === 0 ? { op: 'remove', path } : { op: 'add', path, value: finalizers };
  try {
    await patch(client, resourcePath(object.kind, { namespace, name }), {
      body: [
        { op: 'test', path: '/metadata/uid', value: uid },
        { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
        change,
      ],
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

/**
 * The API server has two ways to say 422 to a patch of an object that is not the one that was looked at: a failed `test`
 * (with no cause named), and a UID that cannot be changed. Both are conflicts to whoever asked.
 */
async function patch(client: KubeClient, path: string, options: RequestOptions): Promise<KubeObject> {
  try {
    return await client.request('PATCH', path, options);
  } catch (error) {
    if (!(error instanceof ApiError) || !isInvalid(error)) throw error;
    const { causes = [] } = error.details ?? {};
    const failedTest = options.contentType === 'application/json-patch+json' && causes.length === 0;
    if (!failedTest && !causes.some(({ field }) => field === 'metadata.uid')) throw error;
    throw new ApiError(409, 'Conflict', `${error.message} (the object was changed or replaced meanwhile)`);
  }
}
