import type { Command } from 'commander';
import { usage } from '../exit-code.ts';
import { get, list } from '../objects.ts';
import { output, type Run, subcommand } from '../options.ts';
import { sinceOption, sinceTime, zoneOption } from '../period.ts';
import { type Format, printAs } from '../print.ts';
import { csvReport } from '../report/csv.ts';
import { htmlReport } from '../report/html.ts';
import { summarize } from '../report/summarize.ts';
import { textReport } from '../report/text.ts';
import type { Session } from '../session.ts';

interface Options {
  readonly allNamespaces?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly timeZone?: string;
  readonly output?: Format | 'csv' | 'html';
}

const usualPeriod = '30d';

export function addReport(program: Command, run: Run): void {
  const description = 'sizes, durations, ratios, failures and the next run, over a period (the last 30 days)';
  const command = output(subcommand(program, 'report [policy]', description), 'csv', 'html');
  zoneOption(sinceOption(command).option('--until <time>', 'to so long ago, or to a time; default: now'))
    .option('-A, --all-namespaces', 'the policies of every namespace')
    .action(run(report));
}

export async function report(session: Session, name: string | undefined, options: Options): Promise<number> {
  const { terminal, clock } = session;
  const timeZone = options.timeZone ?? session.timeZone;
  const everywhere = options.allNamespaces === true;
  if (everywhere && name !== undefined) throw usage('A policy is in one namespace: leave --all-namespaces out.');
  const now = clock.now();
  const from = sinceTime(options.since ?? usualPeriod, now, timeZone);
  const to = options.until === undefined ? now : sinceTime(options.until, now, timeZone);
  if (from > to) throw usage('--since is later than --until: the period is empty.');
  const policies =
    name === undefined ? await list(session, 'BackupPolicy', everywhere) : [await get(session, 'BackupPolicy', name)];
  const found = summarize(policies, await list(session, 'BackupRun', everywhere), from, to);
  if (options.output === 'csv') terminal.out(csvReport(found));
  else if (options.output === 'html') terminal.out(htmlReport(found, timeZone));
  else if (options.output !== undefined) printAs(terminal, options.output, found);
  else terminal.out(textReport(found, timeZone));
  return 0;
}
