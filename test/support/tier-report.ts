import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { projectRoot } from './images/project-root.ts';

/** What the JSON reporter has told of one tier. */
export interface TierReport {
  readonly passed: number;
  readonly failed: number;
  /** One a line: the file, the test's full name, the first line of its error. */
  readonly failures: readonly string[];
}

interface Reported {
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** A test that was skipped counts as failed, and so do a file that did not load and a tier that told nothing. */
export async function readTierReport(file: string): Promise<TierReport> {
  const report: Reported | undefined = await readFile(file, 'utf8').then(JSON.parse, () => undefined);
  if (report === undefined || report.numTotalTests === 0)
    return { passed: 0, failed: 1, failures: ['no test was run: what went before the tests says why'] };
  const failures = report.testResults.flatMap(failuresOf);
  return { passed: report.numPassedTests, failed: failures.length, failures };
}

function failuresOf({ name, status, message, assertionResults }: Reported['testResults'][number]): readonly string[] {
  const path = relative(projectRoot, name);
  const failed = assertionResults
    .filter((test) => test.status !== 'passed')
    .map((test) => `${path}: ${test.fullName}: ${firstLine(test.failureMessages[0]) || `it was ${test.status}`}`);
  // A file that did not load, or whose hook failed, has an error of its own.
  const own = status === 'failed' && (message !== '' || failed.length === 0);
  return own ? [`${path}: ${firstLine(message) || 'the file failed'}`, ...failed] : failed;
}

function firstLine(text = ''): string {
  const line = text.split('\n').find((candidate) => candidate.trim() !== '') ?? '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are such.
  return line.replaceAll(/\x1b\[[0-9;]*m/g, '').trim();
}
