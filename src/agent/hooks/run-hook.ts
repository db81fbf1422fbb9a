import { setTimeout as delay } from 'node:timers/promises';
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
import { failed, type HookOutcome, notBegun } from './outcome.ts';
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
      const endsAt = performance.now() + named.hook.timeoutSeconds * 1000;
      for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
        signal.throwIfAborted();
        const milliseconds = Math.max(1, Math.round(endsAt - performance.now()));
        const call: Call = { ...surroundings, named, notice, milliseconds };
        const outcome = await (named.hook.exec === undefined ? runHttp : runExec)(call, pod, signal).catch(failedBy);
        signal.throwIfAborted();
        // A pod's network may come a moment after the pod, and a server's pod be on its way to another node.
        if (outcome.untouched !== true || performance.now() + pause > endsAt) return outcome;
        await delay(pause, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

const firstPause = 1000;
const longestPause = 10_000;

interface Call extends HookSurroundings {
  readonly named: NamedHook;
  readonly notice: Notice;
  /** What is left of the hook's time. */
  readonly milliseconds: number;
}

function failedBy(error: unknown): HookOutcome {
  const { reason, message, retryable = true } = error instanceof Failure ? error : reportOf(error);
  return reason === 'HookPodNotFound' ? notBegun(message) : failed(message, retryable);
}

async function seek(surroundings: HookSurroundings, signal: AbortSignal): Promise<Pod> {
  const { namespace, server, knownPod, leniently, access } = surroundings;
  const { client, place } = partsOf(surroundings);
  return await findExecPod({ client, namespace, place, server, access, known: knownPod, leniently }, signal);
}

async function runExec(call: Call, findPod: HookRunner['pod'], signal: AbortSignal): Promise<HookOutcome> {
  const { named, server, milliseconds } = call;
  const { exec, timeoutSeconds } = named.hook;
  if (exec === undefined) return failed('The hook has no command.');
  const pod = await findPod(signal);
  return await callExec({ ...partsOf(call), pod, port: server?.port, exec, timeoutSeconds, milliseconds }, signal);
}

function partsOf({ client, work: { exec: place } }: HookSurroundings) {
  if (client === undefined || !canExec(client) || place === undefined)
    throw new Failure('ApiServerUnreachable', 'The API server, by which commands are run in pods, is not reached.', {
      retryable: true,
    });
  return { client, place };
}

function canExec(client: HookClient): client is HookClient & ExecClient {
  return client.exec !== undefined;
}

async function runHttp(call: Call, _: HookRunner['pod'], signal: AbortSignal): Promise<HookOutcome> {
  const { named, namespace, mountRoot, notice, milliseconds } = call;
  const { http, timeoutSeconds } = named.hook;
  if (http === undefined) return failed('The hook has no request.');
  const secrets = await readSecrets(named, http, namespace, mountRoot);
  if (typeof secrets === 'string') return failed(secrets);
  return await callHttp({ http, ...secrets, notice, timeoutSeconds, milliseconds }, signal);
}
