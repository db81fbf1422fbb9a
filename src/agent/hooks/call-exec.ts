import type { Hook } from '../../api/hooks.ts';
import { hide, tailOf } from '../../domain/hooks/describe.ts';
import { ApiError, isForbidden } from '../../kube/api-error.ts';
import type { ExecClient } from '../../kube/client.ts';
import { ExecLost } from '../../kube/exec.ts';
import type { Pod } from '../../kube/workloads.ts';
import { type ExecPlace, execForbidden } from './exec-right.ts';
import { containerOf } from './exec-target.ts';
import { failed, type HookOutcome, notBegun, succeeded } from './outcome.ts';

interface ExecCall {
  readonly client: ExecClient;
  readonly pod: Pod;
  readonly place: ExecPlace;
  readonly port: number | undefined;
  readonly exec: NonNullable<Hook['exec']>;
  readonly timeoutSeconds: number;
  /** What is left of timeoutSeconds. */
  readonly milliseconds: number;
}

/** Runs the command of a hook in its container; rejects with a Failure where there is none, or with the signal's reason. */
export async function callExec(call: ExecCall, signal: AbortSignal): Promise<HookOutcome> {
  const { client, pod, place, port, exec, timeoutSeconds, milliseconds } = call;
  const namespace = pod.metadata.namespace;
  const container = containerOf(pod, place, exec.container, port);
  const where = `${programOf(exec)} in container ${container} of pod ${pod.metadata.name}`;
  const timeout = AbortSignal.timeout(milliseconds);
  try {
    const request = { namespace, pod: pod.metadata.name, container, command: exec.command };
    const { exitCode, message, output } = await client.exec(request, AbortSignal.any([signal, timeout]));
    if (exitCode === 0) return succeeded;
    const said = saidBy(exec, output);
    if (exitCode !== undefined) return failed(`${where} ended with exit code ${exitCode}.${said}`);
    return failed(`${where} could not be run: ${hide(tailOf(message), secretsOf(exec))}.${said}`);
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted)
      return failed(
        `${where} did not end within ${timeoutSeconds} s. It may go on in the pod, where nothing ends it; raise timeoutSeconds, or let the command end itself.`,
      );
    if (isForbidden(error)) return failed(execForbidden(namespace, place).message);
    if (error instanceof ExecLost && !error.opened) return notBegun(`${where}: ${error.message}.`);
    if (error instanceof ExecLost) return failed(`${where}: ${error.message}; whether it was done is not known.`, true);
    if (error instanceof ApiError)
      return failed(`${where} could not be run: ${tailOf(error.message)}.`, error.status >= 500);
    throw error;
  }
}

function programOf({ command }: ExecCall['exec']): string {
  return (command[0] ?? '').slice(0, 128);
}

function saidBy(exec: ExecCall['exec'], output: string): string {
  const said = hide(tailOf(output), secretsOf(exec));
  return said === '' ? '' : ` It said: ${said}`;
}

/** Arguments often hold passwords, and programs repeat their arguments when they do not take them. */
function secretsOf({ command }: ExecCall['exec']): readonly string[] {
  return command.slice(1).filter((argument) => /pass|secret|token|key|:\/\//i.test(argument));
}
