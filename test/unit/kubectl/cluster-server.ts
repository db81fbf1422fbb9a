import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { LineClient } from '../../../src/kube/client.ts';
import { clientOf } from '../../../src/kube/request.ts';
import { status } from '../../support/fake-api-server.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
}

interface Refusal {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

interface Stored {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

const plurals: Readonly<Record<string, string>> = {
  ...{ BackupPolicy: 'backuppolicies', BackupRepository: 'backuprepositories', BackupRun: 'backupruns' },
  ...{
    RestoreRequest: 'restorerequests',
    PitrRecovery: 'pitrrecoveries',
    StatefulSet: 'statefulsets',
    Secret: 'secrets',
  },
  ...{
    Pod: 'pods',
    CronJob: 'cronjobs',
    ServiceAccount: 'serviceaccounts',
    PersistentVolumeClaim: 'persistentvolumeclaims',
  },
};

/** The objects of a cluster behind a real socket: get, list, watch, create, apply, delete, logs. No admission. */
export class ClusterServer {
  readonly asked: Asked[] = [];
  /** Answers instead, where it gives something. */
  refuse: (asked: Asked) => Refusal | 'reset' | undefined = () => undefined;
  /** By pod and container. */
  readonly logs = new Map<string, string>();
  readonly #objects = new Map<string, Stored>();
  readonly #watches = new Set<{ readonly path: string; readonly response: ServerResponse }>();
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));
  /** What the operator would do to an object that is made or changed. */
  react: (object: Stored) => readonly object[] = () => [];
  #version = 1;

  static async start(): Promise<ClusterServer> {
    const server = new ClusterServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  client(): LineClient {
    return clientOf({ url: this.url, namespace: 'shop', credentials: async () => ({ tls: {}, headers: {} }) });
  }

  put(...objects: readonly object[]): void {
    for (const object of objects as readonly Stored[]) {
      const path = pathOf(object);
      const known = this.#objects.get(path);
      const metadata = { uid: `uid-of-${object.metadata.name}`, ...known?.metadata, ...object.metadata };
      const stored = { ...object, metadata: { ...metadata, resourceVersion: String(++this.#version) } };
      this.#objects.set(path, stored);
      this.#tell(known === undefined ? 'ADDED' : 'MODIFIED', path, stored);
    }
  }

  get(kind: string, name: string): Stored | undefined {
    return this.#objects.get(pathOf({ apiVersion: '', kind, metadata: { name, namespace: 'shop' } }));
  }

  remove(kind: string, name: string): void {
    const path = pathOf({ apiVersion: '', kind, metadata: { name, namespace: 'shop' } });
    const known = this.#objects.get(path);
    this.#objects.delete(path);
    if (known !== undefined) this.#tell('DELETED', path, known);
  }

  /** What was changed, as `POST /apis/…`; reads are left out. */
  changes(): readonly string[] {
    return this.asked.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path}`);
  }

  /** Every connection of a watch breaks. */
  breakWatches(): void {
    for (const { response } of this.#watches) response.destroy();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #tell(type: string, path: string, object: Stored): void {
    for (const { path: watched, response } of this.#watches)
      if (path.startsWith(`${watched}/`)) response.write(`${JSON.stringify({ type, object })}\n`);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const words = await text(request).catch(() => '');
    const query = Object.fromEntries(url.searchParams);
    const asked = { method: request.method ?? '', path: url.pathname, query, body: words && JSON.parse(words) };
    this.asked.push(asked);
    const refusal = this.refuse(asked);
    if (refusal === 'reset') response.destroy();
    else if (refusal !== undefined)
      reply(response, refusal.code, status(refusal.code, refusal.reason, refusal.message));
    else if (asked.method !== 'GET') this.#change(asked, response);
    else if (asked.path.endsWith('/log')) this.#log(asked, response);
    else if (query['watch'] === 'true') this.#watch(asked, response);
    else this.#read(asked, response);
  }

  #change({ method, path, body }: Asked, response: ServerResponse): void {
    const object = body as Stored;
    const place = method === 'POST' ? `${path}/${object.metadata.name}` : path;
    const known = this.#objects.get(place);
    if (method === 'DELETE' && known !== undefined) {
      this.#objects.delete(place);
      this.#tell('DELETED', place, known);
      reply(response, 200, { kind: 'Status', metadata: {} });
    } else if (method === 'DELETE') reply(response, 404, status(404, 'NotFound', 'not found'));
    else if (method === 'POST' && known !== undefined) reply(response, 409, status(409, 'AlreadyExists', 'exists'));
    else {
      const spec = { ...(known?.['spec'] as object), ...(object['spec'] as object) };
      const metadata = { creationTimestamp: '2026-11-21T10:00:00Z', ...object.metadata };
      this.put({ ...known, ...object, metadata, spec });
      const stored = this.#objects.get(place);
      reply(response, 200, stored);
      if (stored !== undefined) this.put(...this.react(stored));
    }
  }

  #log({ path, query }: Asked, response: ServerResponse): void {
    const log = this.logs.get(`${path.split('/').at(-2)}/${query['container']}`);
    if (log === undefined) {
      reply(response, 400, status(400, 'BadRequest', 'the container is waiting to start'));
    } else {
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.end(log);
    }
  }

  #watch({ path, query }: Asked, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const [key, object] of this.#objects)
      if (key.startsWith(`${path}/`) && Number(object.metadata['resourceVersion']) > Number(query['resourceVersion']))
        response.write(`${JSON.stringify({ type: 'MODIFIED', object })}\n`);
    const watch = { path, response };
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
  }

  #read({ path }: Asked, response: ServerResponse): void {
    const one = this.#objects.get(path);
    if (one !== undefined) {
      reply(response, 200, one);
    } else if (Object.values(plurals).some((plural) => path.endsWith(`/${plural}`))) {
      const items = [...this.#objects].filter(([key]) => isIn(path, key)).map(([, object]) => object);
      reply(response, 200, {
        kind: 'List',
        metadata: {},
        items: items.map(({ apiVersion: _, kind: __, ...item }) => item),
      });
    } else reply(response, 404, status(404, 'NotFound', 'not found'));
  }
}

/** Of one namespace, or of all of them. */
function isIn(collection: string, path: string): boolean {
  const parent = path.slice(0, path.lastIndexOf('/'));
  return parent === collection || parent.replace(/\/namespaces\/[^/]+/, '') === collection;
}

function pathOf({ kind, metadata: { name, namespace } }: Stored): string {
  const groups: Readonly<Record<string, string>> = { StatefulSet: 'apis/apps/v1', CronJob: 'apis/batch/v1' };
  const own = /^(Backup|Restore|Pitr)/.test(kind);
  const group = own ? 'apis/tidemark.dev/v1alpha1' : (groups[kind] ?? 'api/v1');
  return `/${group}/namespaces/${namespace}/${plurals[kind]}/${name}`;
}

function reply(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
