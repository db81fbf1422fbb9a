import { Argument, type Command } from 'commander';
import { completionScript, shells } from '../completion-scripts.ts';
import type { Terminal } from '../terminal.ts';

export function addCompletion(program: Command, terminal: Terminal): void {
  const words = 'kubectl: the file kubectl_complete-tidemark, for `kubectl tidemark`';
  program
    .command('completion')
    .description('print the script by which a shell completes this command')
    .addArgument(new Argument('<shell>', words).choices(shells))
    .action((shell: (typeof shells)[number]) => terminal.out(completionScript(shell)));
}
