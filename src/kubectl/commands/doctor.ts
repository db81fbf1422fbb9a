import { styleText } from 'node:util';
import type { Command } from 'commander';
import type { Check } from '../doctor/check.ts';
import { gather } from '../doctor/gather.ts';
import { judge } from '../doctor/judge.ts';
import { exitCode, Stop } from '../exit-code.ts';
import { get, list } from '../objects.ts';
import { output, type Run, subcommand } from '../options.ts';
import { type Format, printAs } from '../print.ts';
import type { Session } from '../session.ts';
import { oneLine, type Terminal } from '../terminal.ts';

interface Options {
  readonly output?: Format;
}

export function addDoctor(program: Command, run: Run): void {
  output(subcommand(program, 'doctor [policy]', 'check everything a policy needs, and say what to do')).action(
    run((session, policy: string | undefined, options: Options) => doctor(session, policy, options)),
  );
}

export async function doctor(session: Session, name: string | undefined, options: Options): Promise<number> {
  const { terminal, namespace } = session;
  const policies =
    name === undefined ? await list(session, 'BackupPolicy') : [await get(session, 'BackupPolicy', name)];
  if (policies.length === 0)
    throw new Stop(
      exitCode.refused,
      `No BackupPolicy is in the namespace ${namespace}: nothing in it is protected. README.md has a first one.`,
    );
  const found = [];
  for (const policy of policies)
    found.push({ policy: policy.metadata.name, checks: judge(await gather(session, policy)) });
  if (options.output !== undefined) printAs(terminal, options.output, { namespace, policies: found });
  else terminal.out(found.map(({ policy, checks }) => `${namespace}/${policy}\n${lines(checks, terminal)}`).join('\n'));
  return codeOf(found.flatMap(({ checks }) => checks));
}

const marks = {
  ok: ['ok     ', 'green'],
  warning: ['WARNING', 'yellow'],
  problem: ['PROBLEM', 'red'],
  unknown: ['UNKNOWN', 'yellow'],
} as const;

function lines(checks: readonly Check[], { colour }: Terminal): string {
  const words = checks.map(({ subject, result, message, remedy }) => {
    const [mark, style] = marks[result];
    const painted = colour ? styleText(style, mark, { validateStream: false }) : mark;
    const todo = remedy === undefined ? '' : `          do: ${oneLine(remedy)}\n`;
    return `  ${painted} ${oneLine(subject)}: ${oneLine(message)}\n${todo}`;
  });
  const count = (result: Check['result']) => checks.filter((check) => check.result === result).length;
  const counted = [
    ...[`${checks.length} checks`, plural(count('problem'), 'problem'), plural(count('warning'), 'warning')],
    `${count('unknown')} unknown`,
  ].join(', ');
  return `${words.join('')}  ${counted}.\n`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function codeOf(checks: readonly Check[]): number {
  if (checks.some(({ result }) => result === 'problem')) return exitCode.failed;
  return checks.some(({ result }) => result === 'unknown') ? exitCode.unknown : exitCode.done;
}
