import { Failure } from '../../domain/failure.ts';
import type { NamedHook } from '../../domain/hooks/name.ts';
import type { Notice } from '../../domain/hooks/notice.ts';
import type { HookWork, ServerTask } from '../../domain/task.ts';
import type { ExecClient, KubeClient } from '../../kube/client.ts';
import type { Pod } from '../../kube/workloads.ts';
import type { AccessRoots } from '../../postgres/access.ts';
import { reportOf } from '../report-of.ts';
import { callExec } from './call-exec.ts';
import { callHttp } from './call-http.ts';
import { findExecPod } from './exec-target.ts';
import { failed, type HookOutcome } from './outcome.ts';
import { readSecrets } from './secrets.ts';

/** A client of the API server; without `exec` only HTTP hooks can be run. */
export type HookClient = KubeClient & Partial<Pick<ExecClient, 'exec'>>;

export interface HookSurroundings {
  readonly client: HookClient | undefined;
  readonly namespace: string;
  readonly work: HookWork;
  readonly server: ServerTask | undefined;
  readonly knownPod: string | undefined;
  readonly leniently: boolean;
  readonly access?: AccessRoots | undefined;
  readonly mountRoot?: string | undefined;
}

/** Runs the hooks of one run, wherever they are listed: the pod is sought once, and is the same for all of them. */
export interface HookRunner {
  /** The pod for commands; rejects with a Failure where there is none, or where commands may not be run. */
  pod(signal: AbortSignal): Promise<Pod>;
  podName(): string | undefined;
  /** Never rejects but with the signal's reason. */
  run(hook: NamedHook, notice: Notice, signal: AbortSignal): Promise<HookOutcome>;
}

export function createHookRunner(surroundings: HookSurroundings): HookRunner {
  let sought: Promise<Pod> | undefined;
  let name = surroundings.knownPod;
  const pod = (signal: AbortSignal) => {
    sought ??= seek(surroundings, signal).then(
      (found) => {
        name = found.metadata.name;
        return found;
      },
      (error: unknown) => {
        // The next hook may find it.
        sought = undefined;
        throw error;
      },
    );
    return sought;
  };
  return {
    pod,
    podName: () => name,
    async run(named, notice, signal) {
      signal.throwIfAborted();
      try {
        return await (named.hook.exec === undefined
          ? runHttp(surroundings, named, notice, signal)
          : runExec(surroundings, named, await pod(signal), signal));
      } catch (error) {
        signal.throwIfAborted();
        const { message, retryable = true } = error instanceof Failure ? error : reportOf(error);
        return failed(message, retryable);
      }
    },
  };
}

async function seek(surroundings: HookSurroundings, signal: AbortSignal): Promise<Pod> {
  const { namespace, work, server, knownPod, leniently, access } = surroundings;
  const { client, place } = partsOf(surroundings, work);
  return await findExecPod({ client, namespace, place, server, access, known: knownPod, leniently }, signal);
}

async function runExec(
  surroundings: HookSurroundings,
  { hook }: NamedHook,
  pod: Pod,
  signal: AbortSignal,
): Promise<HookOutcome> {
  const { exec, timeoutSeconds } = hook;
  const { client, place } = partsOf(surroundings, surroundings.work);
  if (exec === undefined) return failed('The hook has no command.');
  return await callExec({ client, pod, place, port: surroundings.server?.port, exec, timeoutSeconds }, signal);
}

function partsOf({ client }: HookSurroundings, { exec: place }: HookWork) {
  if (client === undefined || !canExec(client) || place === undefined)
    throw new Failure('ApiServerUnreachable', 'The API server, by which commands are run in pods, is not reached.', {
      retryable: true,
    });
  return { client, place };
}

function canExec(client: HookClient): client is HookClient & ExecClient {
  return client.exec !== undefined;
}

async function runHttp(
  { namespace, mountRoot }: HookSurroundings,
  named: NamedHook,
  notice: Notice,
  signal: AbortSignal,
): Promise<HookOutcome> {
  const { http, timeoutSeconds } = named.hook;
  if (http === undefined) return failed('The hook has no request.');
  const secrets = await readSecrets(named, http, namespace, mountRoot);
  if (typeof secrets === 'string') return failed(secrets);
  return await callHttp({ http, ...secrets, notice, timeoutSeconds }, signal);
}
