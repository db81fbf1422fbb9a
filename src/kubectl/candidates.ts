import type { Command, Option } from 'commander';
import { list } from './objects.ts';
import type { Session } from './session.ts';

export interface Candidates {
  readonly known: readonly string[];
  /** The names of objects that fit, where the word is one. */
  readonly names?: (session: Session) => Promise<readonly string[]>;
}

export interface Connection {
  readonly namespace?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
}

/** What of it is said among words that are not a whole command line yet. */
export function connectionIn(words: readonly string[]): Connection {
  const after = (...names: readonly string[]) => {
    for (const [index, word] of words.entries()) {
      if (names.includes(word)) return words[index + 1];
      const name = names.find((each) => each.startsWith('--') && word.startsWith(`${each}=`));
      if (name !== undefined) return word.slice(name.length + 1);
    }
    return undefined;
  };
  const [namespace, context, kubeconfig] = [after('-n', '--namespace'), after('--context'), after('--kubeconfig')];
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(context === undefined ? {} : { context }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  };
}

/** Milliseconds that a person waits for names. */
const patience = 2000;

/** What the last of the words may become. */
export function candidates(program: Command, words: readonly string[]): Candidates {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const command = program.commands.find((each) => each.name() === before.find((word) => !word.startsWith('-')));
  const options = [...program.options, ...(command?.options ?? [])];
  const last = before.at(-1) ?? '';
  const pending = options.find(({ long, short, required }) => required && (last === long || last === short));
  if (pending !== undefined) return ofOption(pending, typed);
  if (typed.startsWith('-')) return { known: fitting(optionNames(command ?? program, program), typed) };
  if (command === undefined) {
    const names = program.commands.map((each) => each.name()).filter((name) => !name.startsWith('_'));
    return { known: fitting([...names, 'help'], typed) };
  }
  const [argument] = command.registeredArguments;
  if (argument === undefined) return { known: [] };
  if (argument.argChoices !== undefined) return { known: fitting(argument.argChoices, typed) };
  return { known: [], names: (session) => namesFor(session, argument.name(), typed) };
}

function ofOption({ long, argChoices }: Option, typed: string): Candidates {
  if (argChoices !== undefined) return { known: fitting(argChoices, typed) };
  if (long === '--latest') return { known: [], names: (session) => namesFor(session, 'policy', typed) };
  return { known: [] };
}

function optionNames(command: Command, program: Command): readonly string[] {
  const all = command === program ? program.options : command.options;
  return [...all.map(({ long }) => long ?? '').filter((name) => name !== ''), '--help'];
}

async function namesFor(session: Session, argument: string, typed: string): Promise<readonly string[]> {
  const bounded = { ...session, signal: AbortSignal.any([session.signal, AbortSignal.timeout(patience)]) };
  const kinds =
    argument === 'policy'
      ? (['BackupPolicy'] as const)
      : argument === 'run'
        ? (['BackupRun'] as const)
        : (['BackupRun', 'RestoreRequest', 'PitrRecovery'] as const);
  const found = await Promise.all(kinds.map((kind) => list(bounded, kind)));
  return fitting(
    found.flatMap((objects) => objects.map(({ metadata }) => metadata.name)),
    typed,
  );
}

function fitting(words: readonly string[], typed: string): readonly string[] {
  return words.filter((word) => word.startsWith(typed)).toSorted();
}
