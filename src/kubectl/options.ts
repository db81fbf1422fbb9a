import { type Command, Option } from 'commander';
import { exitCode, usage } from './exit-code.ts';
import type { Work } from './objects.ts';
import { parseDuration } from './parse-duration.ts';
import { type Format, printAs } from './print.ts';
import type { Session } from './session.ts';

/** What a command does with a session; gives the exit code. The arguments are commander's: the words, then the options. */
// biome-ignore lint/suspicious/noExplicitAny: commander hands on whatever each command has declared.
export type Action = (session: Session, ...given: any[]) => Promise<number>;
export type Run = (action: Action) => (...given: unknown[]) => Promise<void>;

/** A subcommand with the options that kubectl has everywhere. */
export function subcommand(program: Command, usageLine: string, description: string): Command {
  return connection(program.command(usageLine).description(description));
}

export function connection(command: Command): Command {
  return command
    .option('-n, --namespace <name>', "the namespace; default: that of the kubeconfig's context")
    .option('--context <name>', 'the context of the kubeconfig')
    .option('--kubeconfig <file>', 'the kubeconfig; default: $KUBECONFIG, then ~/.kube/config');
}

export function output(command: Command, ...more: readonly string[]): Command {
  const formats = ['json', 'yaml', ...more];
  return command.addOption(new Option('-o, --output <format>', 'the result in this form').choices(formats));
}

export interface WaitOptions {
  readonly wait?: boolean;
  readonly timeout?: number;
  readonly dryRun?: boolean;
  readonly output?: Format;
  readonly name?: string;
}

/** Of a command that makes an object and may wait for its end. */
export function making(command: Command): Command {
  return output(command)
    .option('--name <name>', 'the name of the new object; default: one that says what it is of')
    .option('--dry-run', 'print the YAML that would be applied, and do nothing')
    .option('--wait', 'wait for the end; the default on a terminal')
    .option('--no-wait', 'do not wait for the end; the default elsewhere')
    .option(
      '--timeout <duration>',
      'stop waiting after this long, such as 90s, 30m, 2h; the work goes on',
      durationOption,
    );
}

export function durationOption(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined)
    throw usage(`${JSON.stringify(text)} is no duration: write 90s, 30m, 36h, 14d or 2w.`);
  return milliseconds;
}

export function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw usage(`${JSON.stringify(text)} is no whole number.`);
  return Number(text);
}

/** For an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** A choice of an API field, whatever its case: `full` for Full. */
export function choice<const Values extends readonly string[]>(values: Values) {
  return (text: string): Values[number] => {
    const plain = (value: string) => value.toLowerCase().replaceAll('-', '');
    const found = values.find((value) => plain(value) === plain(text));
    if (found === undefined) throw usage(`${JSON.stringify(text)} is none of ${values.join(', ')}.`);
    return found;
  };
}

/** The object whole where that was asked for; else the words for a person. */
export function printResult(session: Session, format: Format | undefined, object: Work, words: string): void {
  if (format === undefined) session.terminal.out(words);
  else printAs(session.terminal, format, object);
}

export function codeOf({ status }: Work): number {
  return status?.phase === 'Completed' ? exitCode.done : exitCode.failed;
}
