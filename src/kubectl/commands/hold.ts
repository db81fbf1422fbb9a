import type { Command } from 'commander';
import { type ChangeOptions, change } from '../change.ts';
import { usage } from '../exit-code.ts';
import { get } from '../objects.ts';
import { output, printResult, type Run, subcommand } from '../options.ts';
import type { Session } from '../session.ts';

export function addHold(program: Command, run: Run): void {
  const dryRun = ['--dry-run', 'print the YAML that would be applied, and do nothing'] as const;
  output(subcommand(program, 'hold <run>', 'keep a backup: retention leaves it alone'))
    .option(...dryRun)
    .action(run((session, name: string, options: ChangeOptions) => hold(session, name, true, options)));
  output(subcommand(program, 'release <run>', 'end a hold: retention decides again'))
    .option(...dryRun)
    .action(run((session, name: string, options: ChangeOptions) => hold(session, name, false, options)));
}

export async function hold(
  session: Session,
  reference: string,
  held: boolean,
  options: ChangeOptions,
): Promise<number> {
  const run = await get(session, 'BackupRun', reference.replace(/^(run|brun|backupruns?)\//i, ''));
  const { name } = run.metadata;
  if (run.status?.phase === 'Expired' && held)
    throw usage(`The backup of ${name} is gone already: retention has removed it, and a hold cannot bring it back.`);
  const changed = await change(session, run, 'hold', held, options);
  if (changed === undefined) return 0;
  const words = held
    ? `${name} is held: retention leaves it alone until kubectl tidemark release ${name}.`
    : `${name} is released: it goes when the policy's retention says so, at the earliest an hour after it was planned.`;
  printResult(session, options.output, changed, words);
  return 0;
}
