import { isNotFound } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { systemClock } from '../../../src/kube/clock.ts';
import { clientFromKubeconfig } from '../../../src/kube/from-kubeconfig.ts';
import { watchCollection } from '../../../src/kube/watch.ts';

/** Reads and applies objects by the names that kubectl knows their kinds by, without a process for each call. */
export interface Api {
  get(resource: string, name: string, namespace?: string): Promise<unknown>;
  list(resource: string, namespace?: string, selector?: string): Promise<readonly unknown[]>;
  /** The object as it is, then at each change, until the signal aborts; nothing while it is not there. */
  watch(resource: string, name: string, namespace: string | undefined, signal: AbortSignal): AsyncIterable<unknown>;
  /** Server-side, one after the other; a field that the API server does not know is refused, as kubectl has it. */
  apply(objects: readonly object[], namespace?: string): Promise<void>;
}

export function connectApi(kubeconfig: string): Api {
  let opened: Promise<KubeClient> | undefined;
  const found = new Map<string, Promise<Kind>>();
  const client = () => {
    opened ??= clientFromKubeconfig(kubeconfig);
    return opened;
  };
  const kindOf = async (resource: string) => {
    const known = found.get(resource) ?? client().then((each) => findKind(each, resource));
    found.set(resource, known);
    // A group of kinds may come later.
    known.catch(() => found.delete(resource));
    return await known;
  };
  return {
    async get(resource, name, namespace) {
      try {
        return await (await client()).request('GET', `${pathOf(await kindOf(resource), namespace)}/${name}`);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async list(resource, namespace, selector) {
      const lists = await Promise.all(
        resource.split(',').map(async (each) => {
          const query = selector === undefined ? {} : { labelSelector: selector };
          const path = pathOf(await kindOf(each), namespace);
          return await (await client()).request<{ items: readonly unknown[] }>('GET', path, { query });
        }),
      );
      return lists.flatMap(({ items }) => items);
    },
    async *watch(resource, name, namespace, signal) {
      const path = pathOf(await kindOf(resource), namespace);
      const options = { query: { fieldSelector: `metadata.name=${name}` }, signal, clock: systemClock };
      for await (const change of watchCollection(await client(), path, options)) {
        if (change.kind === 'synced') yield* change.items;
        if (change.kind === 'changed') yield change.object;
      }
    },
    async apply(objects, namespace) {
      for (const object of objects as readonly Applied[]) {
        const { apiVersion, kind, metadata } = object;
        const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : '';
        const path = pathOf(await kindOf(`${kind.toLowerCase()}${group}`), metadata.namespace ?? namespace);
        await (await client()).request('PATCH', `${path}/${metadata.name}`, {
          body: object,
          query: { fieldManager: 'kubectl', force: true, fieldValidation: 'Strict' },
          contentType: 'application/apply-patch+yaml',
        });
      }
    },
  };
}

interface Applied {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

interface Kind {
  /** /api/v1 or /apis/<group>/<version>. */
  readonly root: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

function pathOf({ root, plural, namespaced }: Kind, namespace = 'default'): string {
  return namespaced ? `${root}/namespaces/${namespace}/${plural}` : `${root}/${plural}`;
}

interface Groups {
  readonly groups: readonly { readonly name: string; readonly preferredVersion: { readonly groupVersion: string } }[];
}

interface Resources {
  readonly resources: readonly {
    readonly name: string;
    readonly singularName: string;
    readonly shortNames?: readonly string[];
    readonly namespaced: boolean;
  }[];
}

/** `pods`, `bpol`, `events.events.k8s.io`: the core's first, as kubectl does. */
async function findKind(client: KubeClient, resource: string): Promise<Kind> {
  const [name = '', ...rest] = resource.split('.');
  const { groups } = await client.request<Groups>('GET', '/apis');
  const wanted = groups.filter((group) => rest.length === 0 || group.name === rest.join('.'));
  const roots = wanted.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`);
  for (const root of rest.length === 0 ? ['/api/v1', ...roots] : roots) {
    const { resources } = await client.request<Resources>('GET', root);
    const kind = resources.find((each) => [each.name, each.singularName, ...(each.shortNames ?? [])].includes(name));
    if (kind !== undefined) return { root, plural: kind.name, namespaced: kind.namespaced };
  }
  throw new Error(`The API server knows no ${resource}.`);
}
