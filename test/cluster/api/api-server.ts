import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, inject } from 'vitest';
import { apiVersion } from '../../../src/api/kinds.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { clientFromKubeconfig } from '../../../src/kube/from-kubeconfig.ts';
import { resourcePath } from '../../../src/kube/paths.ts';

/** What the API server said to an object: the object as it would be stored, or the refusal. */
export interface Answer {
  readonly object?: Stored;
  readonly refusal?: string;
}

export interface Stored {
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: unknown;
}

interface Draft {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: unknown;
}

/** The real API server, as a test of the kinds speaks to it: a namespace of its own, removed afterwards. */
export interface ApiServer {
  /** Admission only: nothing is stored. Unknown fields are left to pruning, as for an object of an older client. */
  admit(draft: Draft): Promise<Answer>;
  create(draft: Draft): Promise<Stored>;
  /** A merge patch of a stored object's spec. */
  change(kind: string, name: string, spec: object): Promise<Answer>;
  /** Admission of a status in the place of a stored object's, whatever the operator writes there meanwhile. */
  admitStatus(kind: string, name: string, status: unknown): Promise<Answer>;
}

export function useApiServer(): ApiServer {
  const namespace = `api-${randomBytes(4).toString('hex')}`;
  let client: KubeClient | undefined;
  const connected = () => {
    if (client === undefined)
      throw new Error('The API server is connected before the first test, not while files load');
    return client;
  };
  beforeAll(async () => {
    client = await clientFromKubeconfig(inject('environment').kubeconfig);
    const metadata = { name: namespace, labels: { 'tidemark.dev/test': 'true' } };
    await client.request('POST', '/api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', metadata } });
  });
  afterAll(async () => {
    await client?.request('DELETE', `/api/v1/namespaces/${namespace}`);
    await client?.close();
  });

  const place = (draft: Draft) => resourcePath(draft.kind, { namespace });
  const body = ({ kind, metadata, spec }: Draft) => ({ apiVersion, kind, metadata: { name: metadata.name }, spec });
  return {
    admit: (draft) =>
      answerOf(
        connected().request('POST', place(draft), {
          body: body(draft),
          query: { dryRun: 'All', fieldValidation: 'Ignore' },
        }),
      ),
    create: (draft) => connected().request<Stored>('POST', place(draft), { body: body(draft) }),
    change: (kind, name, spec) =>
      answerOf(
        connected().request('PATCH', resourcePath(kind, { namespace, name }), {
          body: { spec },
          contentType: 'application/merge-patch+json',
        }),
      ),
    admitStatus: (kind, name, status) =>
      answerOf(
        connected().request('PATCH', resourcePath(kind, { namespace, name, subresource: 'status' }), {
          body: [{ op: 'add', path: '/status', value: status }],
          contentType: 'application/json-patch+json',
          query: { dryRun: 'All', fieldValidation: 'Ignore' },
        }),
      ),
  };
}

async function answerOf(answer: Promise<Stored>): Promise<Answer> {
  return await answer.then(
    (object) => ({ object }),
    (error: unknown) => {
      if (error instanceof ApiError && error.status === 422) return { refusal: error.message };
      throw error;
    },
  );
}
