import type { Command } from 'commander';
import { type ChangeOptions, change } from '../change.ts';
import type { WorkKind } from '../objects.ts';
import { codeOf, durationOption, output, printResult, type Run, subcommand } from '../options.ts';
import type { Session } from '../session.ts';
import { hasEnded, waitFor } from '../wait.ts';
import { findWork } from '../work-reference.ts';

interface Options extends ChangeOptions {
  readonly wait?: boolean;
  readonly timeout?: number;
}

export function addCancel(program: Command, run: Run): void {
  output(subcommand(program, 'cancel <name>', 'stop a backup, restore or recovery; what is half-done is removed'))
    .option('--dry-run', 'print the YAML that would be applied, and do nothing')
    .option('--wait', 'wait until it has stopped; the default on a terminal')
    .option('--no-wait', 'do not wait; the default elsewhere')
    .option('--timeout <duration>', 'stop waiting after this long', durationOption)
    .action(run(cancel));
}

export async function cancel(session: Session, reference: string, options: Options): Promise<number> {
  const work = await findWork(session, reference);
  const { kind, metadata, status } = work;
  const what = `${kind} ${metadata.name}`;
  if (hasEnded(work)) {
    printResult(session, options.output, work, `${what} has ended already: ${status?.phase}. Nothing is changed.`);
    return status?.phase === 'Cancelled' ? 0 : 1;
  }
  const changed = await change(session, work, 'cancel', true, options);
  if (changed === undefined) return 0;
  if (!(options.wait ?? session.terminal.watched)) {
    printResult(session, options.output, changed, `${what} is being cancelled.`);
    return 0;
  }
  const ended = await waitFor(session, kind as WorkKind, changed, options.timeout);
  const cancelled = ended.status?.phase === 'Cancelled';
  const words = cancelled
    ? `${what} is cancelled.`
    : `${what} had ended before it could be cancelled: ${ended.status?.phase}.`;
  printResult(session, options.output, ended, words);
  return cancelled ? 0 : codeOf(ended) || 1;
}
