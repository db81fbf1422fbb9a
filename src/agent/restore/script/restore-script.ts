import { quoteIdentifier } from '../../../postgres/advice.ts';
import type { Compression } from '../../../stream/compress.ts';
import { type LoadResult, RestoreToolFailed } from '../run-pg-restore.ts';
import { type TriggerState, triggerStatements } from '../trigger-states.ts';
import type { Range, Script, Setting } from './read-script.ts';
import { type PsqlOptions, type PsqlResult, type PsqlRun, runPsql, scriptError } from './run-psql.ts';
import { openScript, type ScriptBytes } from './script-bytes.ts';
import { partsToRun, type ScriptOptions, within } from './script-parts.ts';

export interface ScriptRun extends Pick<PsqlRun, 'tool' | 'access' | 'files' | 'isSuperuser' | 'database' | 'signal'> {
  /** Where the script lies, packed. */
  readonly path: string;
  readonly compression: Compression;
  readonly script: Script;
  readonly parts: ScriptOptions;
  readonly options: Pick<PsqlOptions, 'role' | 'asReplica'> & { readonly exitOnError: boolean };
  /** Triggers that are switched off for as long as the script runs. */
  readonly asleep: readonly TriggerState[];
  /** Told of the entry that psql is given, and of how many it has been given before. */
  readonly onProgress: (entry: string, objects: number) => void;
}

/** Runs a Plain dump. Rejects with RestoreToolFailed where an error ends it, or with the signal's reason. */
export async function restoreScript(run: ScriptRun): Promise<LoadResult> {
  const { script, parts, options } = run;
  const wanted = partsToRun(script, parts);
  const bytes = openScript(run.path, run);
  try {
    const result = options.exitOnError
      ? await stopAtError(run, bytes, wanted)
      : await asleepMeanwhile(run, () => countErrors(run, bytes, wanted));
    return { objects: script.entries.length, ...result };
  } finally {
    await bytes.close();
  }
}

function stopAtError(run: ScriptRun, bytes: ScriptBytes, wanted: readonly Range[]): Promise<PsqlResult> {
  const { parts, options } = run;
  const { singleTransaction } = parts;
  async function* whole() {
    yield* readParts(run, bytes, wanted);
    // The last that psql gets comes after this: where the script ends otherwise than it was read, nothing is committed.
    await bytes.end();
  }
  return runPsql({
    ...run,
    options: { ...options, stopAtError: true, singleTransaction },
    input: withTriggersAsleep(run, whole()),
  });
}

/** In the script's own transaction: where it ends early, no trigger has been switched off. */
async function* withTriggersAsleep(
  { asleep, options }: ScriptRun,
  script: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const role = options.role === '' ? '' : `SET ROLE ${quoteIdentifier(options.role)};\n`;
  if (asleep.length > 0) yield Buffer.from(`RESET ROLE;\n${statements(disabled(asleep))}${role}`);
  yield* script;
  if (asleep.length > 0) yield Buffer.from(`RESET SESSION AUTHORIZATION;\nRESET ROLE;\n${statements(asleep)}`);
}

/** Long enough for the statements of a few thousand triggers, within the grace period of a pod that is being ended. */
const wakingTime = 15_000;

/** Around the sessions of a script that goes on after errors. */
async function asleepMeanwhile<Result>(run: ScriptRun, fill: () => Promise<Result>): Promise<Result> {
  if (run.asleep.length === 0) return fill();
  const alter = async (states: readonly TriggerState[], signal: AbortSignal) => {
    const options = { role: '', asReplica: false, stopAtError: true, singleTransaction: true };
    await runPsql({ ...run, options, input: only(statements(states)), signal });
  };
  await alter(disabled(run.asleep), run.signal);
  try {
    return await fill();
  } finally {
    await alter(run.asleep, AbortSignal.timeout(wakingTime));
  }
}

function disabled(states: readonly TriggerState[]): readonly TriggerState[] {
  return states.map((each) => ({ ...each, state: 'D' }));
}

function statements(states: readonly TriggerState[]): string {
  return triggerStatements(states)
    .map((statement) => `${statement};\n`)
    .join('');
}

async function* only(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

/**
 * Goes on after errors. Where a COPY cannot begin, psql would take its rows for statements; so each COPY is given to a
 * psql of its own, which stops at its first error, and what stands between them to one that does not.
 */
async function countErrors(run: ScriptRun, bytes: ScriptBytes, wanted: readonly Range[]): Promise<PsqlResult> {
  const { script, options } = run;
  const settingsBefore = createSettings(script, wanted);
  const results: PsqlResult[] = [];
  const runSome = async (range: Range, isCopy: boolean) => {
    const parts = within(wanted, range);
    if (parts.length === 0) return;
    const input = withSettings(settingsBefore(range.start), readParts(run, bytes, parts));
    const session = { ...run, input, options: { ...options, stopAtError: isCopy, singleTransaction: false } };
    results.push(isCopy ? await runCopy(session) : await runPsql(session));
  };
  let from = 0;
  for (const copy of script.copies) {
    if (!copy.follows) await runSome({ start: from, end: copy.start }, false);
    await runSome(copy, true);
    from = copy.end;
  }
  await runSome({ start: from, end: script.size }, false);
  await bytes.end();
  return {
    errors: results.reduce((sum, { errors }) => sum + errors, 0),
    firstErrors: results.flatMap(({ firstErrors }) => firstErrors).slice(0, 10),
  };
}

/** One COPY: its error is one more to be counted, except where the server has gone. */
async function runCopy(session: PsqlRun): Promise<PsqlResult> {
  try {
    return await runPsql(session);
  } catch (error) {
    if (!(error instanceof RestoreToolFailed) || error.code !== scriptError) throw error;
    return { errors: 1, firstErrors: [{ object: undefined, message: error.said }] };
  }
}

/** What a new session has to be told so that it is as the one session of the whole script would be at this place. */
function createSettings({ settings }: Script, wanted: readonly Range[]): (place: number) => readonly Setting[] {
  const told = settings.filter((setting) => within(wanted, setting).length > 0);
  const current = new Map<string, Setting>();
  let next = 0;
  return (place) => {
    for (; next < told.length; next += 1) {
      const setting = told[next];
      if (setting === undefined || setting.start >= place) break;
      if (setting.isReset) current.delete(setting.name);
      else current.set(setting.name, setting);
    }
    return [...current.values()];
  };
}

async function* withSettings(settings: readonly Setting[], script: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for (const { text } of settings) {
    yield text;
    yield lineBreak;
  }
  yield* script;
}

async function* readParts(
  { script, onProgress }: ScriptRun,
  bytes: ScriptBytes,
  parts: readonly Range[],
): AsyncGenerator<Buffer> {
  const tell = entryFinder({ script, onProgress });
  for (const part of parts) {
    let place = part.start;
    for await (const piece of bytes.read(part)) {
      yield piece;
      place += piece.length;
      tell(place);
    }
    // A statement that was left out may have stood between two words.
    yield lineBreak;
  }
}

/** Tells of the entry that a place lies in; the places only grow. */
function entryFinder({ script: { entries }, onProgress }: Pick<ScriptRun, 'script' | 'onProgress'>) {
  let index = 0;
  return (place: number) => {
    while ((entries[index + 1]?.start ?? Number.POSITIVE_INFINITY) < place) index += 1;
    const entry = entries[index];
    if (entry !== undefined) onProgress(`${entry.kind} ${entry.name}`, index);
  };
}

const lineBreak = Buffer.from('\n');
