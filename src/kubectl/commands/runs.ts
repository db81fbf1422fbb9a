import type { Command } from 'commander';
import { Option } from 'commander';
import type { BackupRun } from '../../api/kinds.ts';
import { findCondition } from '../../domain/conditions.ts';
import { bytes, duration, relative, secondsBetween } from '../../domain/display/quantities.ts';
import { hooksCondition } from '../../domain/hooks/judge.ts';
import { list } from '../objects.ts';
import { choice, output, type Run, subcommand, wholeNumber } from '../options.ts';
import { type Format, objectList, printAs } from '../print.ts';
import { newestFirst } from '../runs.ts';
import type { Session } from '../session.ts';
import { fitted, table } from '../table.ts';

const phases = ['Pending', 'Running', 'Completed', 'Failed', 'Cancelled', 'Expired'] as const;
const errorWidth = 60;

interface Options {
  readonly allNamespaces?: boolean;
  readonly phase?: (typeof phases)[number];
  readonly limit: number;
  readonly output?: Format | 'wide';
}

export function addRuns(program: Command, run: Run): void {
  output(subcommand(program, 'runs [policy]', 'list backups, the newest first'), 'wide')
    .option('-A, --all-namespaces', 'of every namespace')
    .option('--phase <phase>', `only those that are ${phases.join(', ')}`, choice(phases))
    .addOption(new Option('--limit <number>', 'how many; 0: all').argParser(wholeNumber).default(20))
    .action(run((session, policy: string | undefined, options: Options) => runs(session, policy, options)));
}

export async function runs(session: Session, policy: string | undefined, options: Options): Promise<number> {
  const { terminal, clock, namespace } = session;
  const everywhere = options.allNamespaces === true;
  const found = newestFirst(await list(session, 'BackupRun', everywhere)).filter(
    ({ spec, status }) =>
      (policy === undefined || spec.policyRef.name === policy) &&
      (options.phase === undefined || (status?.phase ?? 'Pending') === options.phase),
  );
  const shown = options.limit === 0 ? found : found.slice(0, options.limit);
  if (options.output === 'json' || options.output === 'yaml') {
    printAs(terminal, options.output, objectList(shown));
    return 0;
  }
  if (shown.length === 0) {
    terminal.say(
      `No backup${policy === undefined ? '' : ` of ${policy}`} is known in ${everywhere ? 'any namespace' : `the namespace ${namespace}`}.`,
    );
    return 0;
  }
  terminal.out(runTable(shown, clock.now(), { everywhere, wide: options.output === 'wide' }));
  if (shown.length < found.length)
    terminal.say(`${found.length - shown.length} older ones are not shown: --limit 0 shows all.`);
  return 0;
}

interface Shape {
  readonly everywhere?: boolean;
  readonly wide?: boolean;
}

export function runTable(
  runs: readonly BackupRun[],
  now: Date,
  { everywhere = false, wide = false }: Shape = {},
): string {
  const header = [
    'NAME',
    'POLICY',
    'METHOD',
    'TYPE',
    'PHASE',
    'STARTED',
    'TOOK',
    'SIZE',
    'STORED',
    'VERIFIED',
    'ERROR',
  ];
  const rows = runs.map((run) => {
    const { metadata, spec, status } = run;
    const error = status?.error || hookFailure(run);
    return [
      ...(everywhere ? [metadata.namespace] : []),
      metadata.name,
      spec.policyRef.name,
      spec.method,
      spec.type,
      phaseOf(run),
      relative(status?.startTime ?? metadata.creationTimestamp, now),
      took(run, now),
      bytes(status?.size?.source),
      bytes(status?.size?.stored),
      relative(status?.verified?.time, now),
      ...(wide ? [status?.backupID, error] : [error && fitted(error.replaceAll(/\s+/g, ' '), errorWidth)]),
    ];
  });
  const wideHeader = wide ? header.toSpliced(-1, 0, 'BACKUP ID') : header;
  return table(everywhere ? ['NAMESPACE', ...wideHeader] : wideHeader, rows);
}

/** A backup that is there, and a hook that did not do its work. */
function hookFailure({ status }: BackupRun): string | undefined {
  const hooks = findCondition(status?.conditions, hooksCondition);
  return hooks?.status === 'False' ? hooks.message : undefined;
}

function phaseOf({ spec, status }: BackupRun): string {
  const percent = status?.phase === 'Running' ? status.progress?.percent : undefined;
  const phase = status?.phase ?? 'Pending';
  return `${phase}${percent === undefined ? '' : ` ${percent}%`}${spec.hold ? ' (held)' : ''}`;
}

function took({ status }: BackupRun, now: Date): string | undefined {
  const end = status?.completionTime ?? (status?.phase === 'Running' ? now.toISOString() : undefined);
  const seconds = secondsBetween(status?.startTime, end);
  return seconds === undefined ? undefined : duration(seconds);
}
