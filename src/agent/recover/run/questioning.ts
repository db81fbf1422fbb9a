import { mkdir } from 'node:fs/promises';
import { basename } from 'node:path';
import type { CheckResult } from '../../../api/checks.ts';
import { writeLibpqFiles } from '../../../postgres/tools.ts';
import { type CheckList, createCheckList, failureOf, skippedWords } from '../../verify/check-list.ts';
import { awaitChecksums, wantChecksums } from '../../verify/data-checksums.ts';
import { objectFiles } from '../../verify/object-files.ts';
import { questionServer } from '../../verify/question-server.ts';
import { verifyBase } from '../../verify/verify-base.ts';
import type { RecoverContext, RecoverFolders, RecoverPatience } from './context.ts';
import type { Followed } from './follow-server.ts';
import type { Measured } from './measure.ts';
import type { Place } from './place.ts';
import { tablespacesOf } from './prepare-place.ts';
import { clearFolder } from './signs.ts';

/** What task.checks asks of a recovery, before, while and after its server runs. */
export interface Questioning {
  onLaid(listOfFiles: string): Promise<void>;
  whileItRuns(access: Followed['access']): Promise<void>;
  /** After its clean end. Throws what failed, all of it in one. */
  conclude(measured: Measured): Promise<void>;
  /** Milliseconds that were spent on it, which nobody would spend in need. */
  spent(): number;
  results(): readonly CheckResult[];
}

interface Surroundings {
  readonly context: RecoverContext;
  readonly folders: RecoverFolders;
  readonly patience: RecoverPatience;
  readonly place: Place;
}

/** undefined where nothing is asked. */
export function questioningOf(surroundings: Surroundings): Questioning | undefined {
  const { context, folders, patience, place } = surroundings;
  const { task, signal, reporter, log } = context;
  const { checks } = task;
  if (checks === undefined) return undefined;
  const list = timed(createCheckList(reporter, log));
  let objects: ReadonlyMap<string, string> | undefined;
  return {
    async onLaid(backupManifest) {
      if (!checks.verifyBackup) return;
      const { dataDirectory } = task.place;
      const beside = [tablespacesOf(place, task.recovery.uid).folder, place.staging];
      const within = beside.filter((path) => path.startsWith(`${dataDirectory}/`));
      const foreign = [...place.foreign, ...within.map((path) => basename(path))];
      const base = { dataDirectory, backupManifest, major: task.plan.major, folder: folders.recovery, foreign };
      await list.ask('VerifyBackup', () => verifyBase(base, signal));
      await clearFolder(folders.recovery, ['backup_manifest']);
      // A server that starts on damaged files would only say the same in other words.
      throwFailure(list, task.plan.backupID);
    },
    async whileItRuns(access) {
      const temporary = `${folders.recovery}/questions`;
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      const files = await writeLibpqFiles(access, temporary);
      const { assertions, plan } = task;
      await questionServer({ access, files, major: plan.major, signal }, { checks, assertions }, list, reporter);
      await clearFolder(folders.recovery, ['questions']);
      if (!checks.dataChecksums) return;
      if (await wantChecksums(access, folders.recovery, signal)) objects = await objectFiles(access, signal);
      else
        await list.ask('DataChecksums', async () => ({
          outcome: 'Skipped',
          message:
            'the source has no data checksums (initdb --data-checksums, or pg_checksums --enable on a server that is shut down).',
        }));
    },
    async conclude(measured) {
      const wanted = objects;
      if (wanted !== undefined)
        await list.ask('DataChecksums', () =>
          awaitChecksums(folders.recovery, { objects: wanted, poll: patience.poll, signal }),
        );
      const seconds = Math.round(list.spent() / 1000);
      await reporter.facts({ measured: { ...measured, parts: { ...measured.parts, checks: seconds } } });
      throwFailure(list, task.plan.backupID);
    },
    spent: list.spent,
    results: list.results,
  };
}

/** For the end's message: what was asked, and what could not be. */
export function questionedWords(results: readonly CheckResult[]): string {
  const passed = results.filter(({ outcome }) => outcome === 'Passed').map(({ name }) => name);
  return `${passed.length === 0 ? '' : ` Passed: ${passed.join(', ')}.`}${skippedWords(results)}`;
}

function timed(list: CheckList): CheckList & { readonly spent: () => number } {
  let spent = 0;
  return {
    results: list.results,
    spent: () => spent,
    async ask(name, question) {
      const begun = performance.now();
      const answer = await list.ask(name, question);
      spent += performance.now() - begun;
      return answer;
    },
  };
}

function throwFailure(list: CheckList, backupID: string): void {
  const failure = failureOf(list.results(), backupID);
  if (failure !== undefined) throw failure;
}
