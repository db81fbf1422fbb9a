import type { ExecEnd, ExecRequest } from './exec.ts';

/**
 * The one way to the API server: typed paths and bodies in, parsed JSON out. Two implementations exist, one from a
 * kubeconfig (people, tests, the operator), one from a pod's own service account (the agent, in a tenth of the memory).
 * Every call ends: by its answer, by its time-out, or by the signal. A refusal is an ApiError.
 */
export interface KubeClient {
  /** `path` as in /apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns/x/status; without a query. */
  request<Answer>(method: Method, path: string, options?: RequestOptions): Promise<Answer>;
  /** One watch connection: the parsed events until the server or the signal ends it. */
  watch(path: string, query: Query, signal: AbortSignal): AsyncIterable<WatchEvent>;
  /** The default namespace of the kubeconfig's context, or the pod's own. */
  readonly namespace: string;
  close(): Promise<void>;
}

/** A client that can also give text, such as a container's log, line by line as it comes, until the server or the signal ends it. */
export interface LineClient extends KubeClient {
  lines(path: string, query: Query, signal: AbortSignal): AsyncIterable<string>;
}

/** A client that can also run a command in a container, to its end. */
export interface ExecClient extends KubeClient {
  exec(request: ExecRequest, signal: AbortSignal): Promise<ExecEnd>;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestOptions {
  readonly query?: Query;
  readonly body?: unknown;
  /** Default: application/json; a PATCH must say which patch it is. */
  readonly contentType?:
    | 'application/json'
    | 'application/apply-patch+yaml'
    | 'application/merge-patch+json'
    | 'application/json-patch+json';
  readonly signal?: AbortSignal;
  /** Milliseconds; default 30,000. */
  readonly timeout?: number;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject;
}

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}
