import { Argument, type Command } from 'commander';
import { candidates } from '../candidates.ts';
import { completionScript, shells } from '../completion-scripts.ts';
import type { Run } from '../options.ts';
import type { Terminal } from '../terminal.ts';

export function addCompletion(program: Command, run: Run, terminal: Terminal, ended: (code: number) => void): void {
  program
    .command('completion')
    .description('print the script by which a shell completes this command')
    .addArgument(
      new Argument('<shell>', 'kubectl: the file kubectl_complete-tidemark, for `kubectl tidemark`').choices(shells),
    )
    .action((shell: (typeof shells)[number]) => {
      terminal.out(completionScript(shell));
      ended(0);
    });
  // What the scripts call; the last word is the one that is being typed.
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .passThroughOptions()
    .action(async (words: readonly string[], options: unknown, self: Command) => {
      const { known, names } = candidates(program, words);
      let found = known;
      if (names !== undefined)
        try {
          await run(async (session) => {
            found = [...known, ...(await names(session))];
            return 0;
          })(words, options, self);
        } catch {
          // No cluster, no names: a shell that completes shows no errors.
        }
      // The last line is cobra's directive, which kubectl reads: 4 is "no file names".
      terminal.out(`${[...found, ':4'].join('\n')}\n`);
      ended(0);
    });
  program.enablePositionalOptions();
}
