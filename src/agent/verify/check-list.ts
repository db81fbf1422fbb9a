import type { CheckName, CheckResult } from '../../api/checks.ts';
import { type Failure, terminal } from '../../domain/failure.ts';
import type { AgentLog } from '../log.ts';
import type { Reporter } from '../report.ts';

export type Answer = Pick<CheckResult, 'outcome' | 'message'>;

/** What was asked of a recovered server so far, in order; each answer stands in the status as soon as it is there. */
export interface CheckList {
  /** What throws is no answer: it ends the verification without a verdict on the backup. */
  ask(name: CheckName, question: () => Promise<Answer>): Promise<Answer>;
  results(): readonly CheckResult[];
}

const messageLimit = 2048;

export function createCheckList(reporter: Pick<Reporter, 'facts'>, log: Pick<AgentLog, 'info'>): CheckList {
  const results: CheckResult[] = [];
  return {
    async ask(name, question) {
      const begun = performance.now();
      const { outcome, message } = await question();
      const seconds = Math.round((performance.now() - begun) / 1000);
      results.push({ name, outcome, seconds, message: [...message].slice(0, messageLimit).join('') });
      log.info({ check: name, outcome, seconds }, message);
      await reporter.facts({ checks: [...results] });
      return { outcome, message };
    },
    results: () => results,
  };
}

/** The failure that a verification ends with; undefined where no check failed. */
export function failureOf(results: readonly CheckResult[], backupID: string): Failure | undefined {
  const failed = results.filter(({ outcome }) => outcome === 'Failed');
  const [first] = failed;
  if (first === undefined) return undefined;
  if (failed.length === 1 && first.name === 'Assertions') return terminal('AssertionFailed', first.message);
  const said = failed.map(({ name, message }) => `${name}: ${message}`).join(' ');
  return terminal('VerificationFailed', `Backup ${backupID} did not pass. ${said}`);
}

/** For the message of one that passed: what proved nothing is named. */
export function skippedWords(results: readonly CheckResult[]): string {
  const skipped = results.filter(({ outcome }) => outcome === 'Skipped');
  return skipped.map(({ name, message }) => ` ${name} was skipped: ${message}`).join('');
}
