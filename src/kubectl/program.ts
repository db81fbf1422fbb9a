import { Command, CommanderError } from 'commander';
import type { LineClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { addBackup } from './commands/backup.ts';
import { addCancel } from './commands/cancel.ts';
import { addCompletion } from './commands/completion.ts';
import { addDoctor } from './commands/doctor.ts';
import { addDrill } from './commands/drill.ts';
import { addHold } from './commands/hold.ts';
import { addLogs } from './commands/logs.ts';
import { addRecover } from './commands/recover.ts';
import { addReport } from './commands/report.ts';
import { addRestore } from './commands/restore.ts';
import { addRuns } from './commands/runs.ts';
import { addStatus } from './commands/status.ts';
import { addTimeline } from './commands/timeline.ts';
import { exitCode, Stop } from './exit-code.ts';
import { explain } from './explain.ts';
import { connection, type Run } from './options.ts';
import type { Terminal } from './terminal.ts';

export interface World {
  connect(kubeconfig: string | undefined, context: string | undefined): Promise<LineClient>;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly timeZone: string;
  readonly signal: AbortSignal;
  suffix(): string;
}

interface Connection {
  readonly namespace?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
}

/** One command line; the arguments without the program's name. Resolves with the exit code, and never rejects. */
export async function runKubectl(args: readonly string[], world: World): Promise<number> {
  let code: number = exitCode.done;
  const run: Run =
    (action) =>
    async (...given) => {
      const command = given.at(-1) as Command;
      const { namespace, context, kubeconfig } = command.optsWithGlobals<Connection>();
      const client = await connected(world, kubeconfig, context);
      try {
        const session = { ...world, client, namespace: namespace ?? client.namespace };
        code = await action(session, ...given.slice(0, -1));
      } finally {
        await client.close();
      }
    };
  try {
    await buildProgram(world.terminal, run, (asked) => {
      code = asked;
    }).parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    // commander has said it itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage;
    const { message, code: failed } = explain(error, world.signal);
    world.terminal.live(undefined);
    world.terminal.say(`Error: ${message}`);
    return failed;
  }
}

async function connected(
  world: World,
  kubeconfig: string | undefined,
  context: string | undefined,
): Promise<LineClient> {
  try {
    return await world.connect(kubeconfig, context);
  } catch (error) {
    throw new Stop(exitCode.unreachable, error instanceof Error ? error.message : String(error), error);
  }
}

/** Every command there is. `ended`: of commands that ask no cluster. */
export function buildProgram(terminal: Terminal, run: Run, ended: (code: number) => void): Command {
  const program = connection(new Command('kubectl-tidemark'))
    .usage('<command> [options]')
    .description('Backups of PostgreSQL by Tidemark: see them, make them, bring them back, prove them.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.say(text),
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
    })
    .showSuggestionAfterError()
    .addHelpText('after', '\nNothing here does more than kubectl with YAML can: --dry-run prints the YAML.');
  addStatus(program, run);
  addDoctor(program, run);
  addTimeline(program, run);
  addRuns(program, run);
  addReport(program, run);
  addBackup(program, run);
  addRestore(program, run);
  addRecover(program, run);
  addDrill(program, run);
  addLogs(program, run);
  addHold(program, run);
  addCancel(program, run);
  addCompletion(program, run, terminal, ended);
  return program;
}
