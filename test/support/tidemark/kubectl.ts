import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { type Api, connectApi } from './api.ts';

/** kubectl with one cluster's kubeconfig: what a person would type, for the steps of tests and of the demo. */
export interface Kubectl {
  /** Runs kubectl; resolves with its standard output, rejects with its standard error. */
  run(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Applies objects as kubectl does, or has kubectl itself apply YAML text. */
  apply(objects: string | readonly object[], options?: RunOptions): Promise<void>;
  /** One object as JSON; undefined where there is none. */
  get<Shape = Loose>(resource: string, name: string, namespace?: string): Promise<Shape | undefined>;
  list<Shape = Loose>(resource: string, namespace?: string, selector?: string): Promise<readonly Shape[]>;
  /** Waits until an object is as wanted, and gives it; the error after so many seconds tells what was seen last. */
  until(wanted: Wanted): Promise<Loose>;
  /** A kubectl that goes on running; the caller ends it. */
  start(args: readonly string[]): ChildProcessByStdio<null, Readable, Readable>;
}

/** An object as the API server answers it, in so far as a test looks at it. */
export interface Loose {
  readonly metadata: { readonly name: string; readonly uid: string; readonly [field: string]: unknown };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Status;
}

export interface Status {
  readonly phase?: string;
  readonly error?: string;
  readonly backupID?: string;
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly [field: string]: unknown;
}

export interface Wanted {
  readonly resource: string;
  readonly name: string;
  readonly namespace?: string;
  /** For the error: `to end`. */
  readonly to: string;
  readonly fits: (object: Loose) => boolean;
  readonly seconds: number;
}

export interface RunOptions {
  readonly input?: string;
  readonly namespace?: string;
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

export function kubectlFor(kubectl: string, kubeconfig: string): Kubectl {
  const api = connectApi(kubeconfig);
  const run = async (args: readonly string[], options: RunOptions = {}) => {
    const namespaced = options.namespace === undefined ? args : ['--namespace', options.namespace, ...args];
    const { stdout } = await execa(kubectl, ['--kubeconfig', kubeconfig, ...namespaced], {
      input: options.input ?? '',
      timeout: (options.timeoutSeconds ?? 120) * 1000,
      maxBuffer: 64 * 1024 * 1024,
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    });
    return stdout;
  };
  return {
    run,
    start: (args) => spawn(kubectl, ['--kubeconfig', kubeconfig, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }),
    apply: async (objects, options = {}) => {
      if (typeof objects === 'string') await run(['apply', '-f', '-'], { ...options, input: objects });
      else await api.apply(objects, options.namespace);
    },
    get: async <Shape>(resource: string, name: string, namespace?: string) =>
      (await api.get(resource, name, namespace)) as Shape | undefined,
    until: (wanted) => untilSeen(api, wanted),
    list: async <Shape>(resource: string, namespace?: string, selector?: string) =>
      (await api.list(resource, namespace, selector)) as readonly Shape[],
  };
}

async function untilSeen(api: Api, { resource, name, namespace, to, fits, seconds }: Wanted): Promise<Loose> {
  let last: Loose | undefined;
  const signal = AbortSignal.timeout(seconds * 1000);
  for await (const object of api.watch(resource, name, namespace, signal)) {
    last = object as Loose;
    if (fits(last)) return last;
  }
  const seen = JSON.stringify(last?.status ?? 'no such object');
  throw new Error(`Waited ${seconds} s in vain for ${resource} ${name} ${to}. Last seen: ${seen}`);
}
