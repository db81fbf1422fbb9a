import { Command, CommanderError } from 'commander';
import type { LineClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { type Connection, candidates, connectionIn } from './candidates.ts';
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
import { exitCode, Stop, usage } from './exit-code.ts';
import { explain } from './explain.ts';
import { connection, type Run } from './options.ts';
import type { Session } from './session.ts';
import type { Terminal } from './terminal.ts';

export interface World {
  connect(kubeconfig: string | undefined, context: string | undefined): Promise<LineClient>;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly timeZone: string;
  readonly signal: AbortSignal;
  suffix(): string;
}

/** One command line; the arguments without the program's name. Resolves with the exit code, and never rejects. */
export async function runKubectl(args: readonly string[], world: World): Promise<number> {
  let code: number = exitCode.done;
  const run: Run =
    (action) =>
    async (...given) => {
      const command = given.at(-1) as Command;
      await inSession(world, command.optsWithGlobals<Connection>(), async (session) => {
        code = await action(session, ...given.slice(0, -1));
      });
    };
  try {
    const program = buildProgram(world.terminal, run);
    if (args[0] === completing) await complete(program, args.slice(1), world);
    else await program.parseAsync([...args], { from: 'user' });
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

async function inSession(world: World, options: Connection, act: (session: Session) => Promise<void>): Promise<void> {
  const { namespace } = options;
  if (namespace !== undefined && !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace))
    throw usage(`${JSON.stringify(namespace)} cannot be the name of a namespace.`);
  const client = await connected(world, options);
  try {
    await act({ ...world, client, namespace: namespace ?? client.namespace });
  } finally {
    await client.close();
  }
}

async function connected(world: World, { kubeconfig, context }: Connection): Promise<LineClient> {
  try {
    return await world.connect(kubeconfig, context);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Stop(exitCode.unreachable, `The way to the cluster cannot be read from the kubeconfig: ${words}`, error);
  }
}

/** What the scripts of `completion` call: a candidate a line for the last word, then cobra's directive for kubectl. */
async function complete(program: Command, args: readonly string[], world: World): Promise<void> {
  const words = args[0] === '--' ? args.slice(1) : args;
  const { known, names } = candidates(program, words);
  const found = [...known];
  try {
    if (names !== undefined)
      await inSession(world, connectionIn(words), async (session) => void found.push(...(await names(session))));
  } catch {
    // No cluster, no names: a shell that completes shows no errors.
  }
  // 4 is "no file names".
  world.terminal.out([...found, ':4'].join('\n'));
}

const completing = '__complete';

/** Every command there is. */
export function buildProgram(terminal: Terminal, run: Run): Command {
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
  const all = [addStatus, addDoctor, addTimeline, addRuns, addReport, addBackup, addRestore, addRecover, addDrill];
  for (const add of [...all, addLogs, addHold, addCancel]) add(program, run);
  addCompletion(program, terminal);
  return program;
}
