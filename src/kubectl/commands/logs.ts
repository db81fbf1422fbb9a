import type { Command } from 'commander';
import { labelValue } from '../../domain/label-value.ts';
import { labels } from '../../domain/labels.ts';
import { resourcePath } from '../../kube/paths.ts';
import { jobNameLabel } from '../../kube/workloads.ts';
import { exitCode, Stop } from '../exit-code.ts';
import { readableLogLine } from '../log-line.ts';
import { find, list, listAll, type Work } from '../objects.ts';
import { type Run, subcommand } from '../options.ts';
import { newestFirst } from '../runs.ts';
import type { Session } from '../session.ts';
import { printable } from '../terminal.ts';
import { findWork, parseReference } from '../work-reference.ts';

interface Options {
  readonly follow?: boolean;
  readonly raw?: boolean;
}

interface Pod {
  readonly metadata: { readonly name: string; readonly creationTimestamp?: string };
  readonly spec: {
    readonly containers: readonly { readonly name: string }[];
    readonly initContainers?: readonly { readonly name: string }[];
  };
  readonly status?: { readonly phase?: string };
}

export function addLogs(program: Command, run: Run): void {
  subcommand(program, 'logs <name>', "what the pods of a run, restore or recovery said; of a policy: its newest run's")
    .option('-f, --follow', 'go on until the pod ends')
    .option('--raw', 'the lines as they are, JSON')
    .action(run(logs));
}

export async function logs(session: Session, reference: string, options: Options): Promise<number> {
  const work = await workOf(session, reference);
  const pods = await podsOf(session, work);
  if (pods.length === 0) throw new Stop(exitCode.refused, withoutPods(work));
  for (const pod of pods) await printPod(session, pod, pods.length > 1, options);
  return 0;
}

/** A policy's name means its newest run; a run of the same name goes first. */
async function workOf(session: Session, reference: string): Promise<Work> {
  const [prefix, name] = reference.split('/');
  const isPolicy = ['policy', 'bpol', 'backuppolicy'].includes(prefix ?? '') && name !== undefined;
  const policyName = isPolicy ? name : reference;
  if (!isPolicy && (parseReference(reference).kind !== undefined || !(await isPolicyAlone(session, reference))))
    return await findWork(session, reference);
  const runs = (await list(session, 'BackupRun')).filter(({ spec }) => spec.policyRef.name === policyName);
  const [newest] = newestFirst(runs);
  if (newest === undefined)
    throw new Stop(exitCode.refused, `No backup of the policy ${policyName} is known, so there are no logs.`);
  session.terminal.say(`The newest run of ${policyName} is ${newest.metadata.name}.`);
  return newest;
}

async function isPolicyAlone(session: Session, name: string): Promise<boolean> {
  if ((await find(session, 'BackupRun', name)) !== undefined) return false;
  return (await find(session, 'BackupPolicy', name)) !== undefined;
}

async function podsOf(session: Session, { kind, metadata, status }: Work): Promise<readonly Pod[]> {
  const job = status?.jobName;
  const selector =
    kind === 'PitrRecovery'
      ? `${labels.recovery}=${labelValue(metadata.name)}`
      : `${jobNameLabel}=${job ?? metadata.name}`;
  const path = resourcePath('Pod', { namespace: session.namespace });
  // What came after a run has a Job of its own.
  const hooks = `${labels.run}=${labelValue(metadata.name)},${labels.action}=hooks`;
  const found = new Map<string, Pod>();
  for (const labelSelector of kind === 'BackupRun' ? [selector, hooks] : [selector]) {
    const pods = (await listAll(session, path, { labelSelector })) as unknown as Pod[];
    for (const pod of pods) found.set(pod.metadata.name, pod);
  }
  const created = ({ metadata: { creationTimestamp = '' } }: Pod) => creationTimestamp;
  return [...found.values()].toSorted((a, b) => (created(a) < created(b) ? -1 : 1));
}

function withoutPods({ kind, metadata, status }: Work): string {
  const succeeded = status?.conditions?.find(({ type }) => type === 'Succeeded');
  const last = status?.error || succeeded?.message || 'nothing yet';
  return `${kind} ${metadata.name} (${status?.phase ?? 'Pending'}) has no pod any more, or none yet; its last word: ${last}`;
}

async function printPod(session: Session, { metadata, spec }: Pod, several: boolean, options: Options): Promise<void> {
  const { terminal, namespace } = session;
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  for (const { name } of containers) {
    if (several || containers.length > 1) terminal.say(`--- pod ${metadata.name}, container ${name}`);
    const path = resourcePath('Pod', { namespace, name: metadata.name, subresource: 'log' });
    try {
      for await (const line of session.client.lines(
        path,
        { container: name, follow: options.follow === true },
        session.signal,
      ))
        terminal.out(options.raw === true ? line : printable(readableLogLine(line)));
    } catch (error) {
      if (session.signal.aborted) throw error;
      // One that waits to start has none yet; the others may have.
      terminal.say(error instanceof Error ? error.message : String(error));
    }
  }
}
