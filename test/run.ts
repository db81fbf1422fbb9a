import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';

/**
 * `npm test`: every check and every tier. Two lines of work go on side by side: what needs only this host, and the cluster
 * with the tests on it, which wait more than they work. `npm test -- unit cluster` runs some of them, `npm run faults`
 * the faults in full. A skipped test counts as failed. The last line is `N passed, N failed`.
 */
const checks: Readonly<Record<string, readonly string[]>> = {
  typecheck: ['tsc', '--noEmit'],
  lint: ['biome', 'check', '.'],
  crds: ['node', 'src/cmd/crdgen.ts', '--check'],
};
const hostTiers = ['unit', 'postgres', 'faults'] as const;
const clusterTiers = ['cluster', 'cluster-alone', 'faults-cluster'] as const;

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

/** Shown as it comes, or kept until the step has ended, so that two steps' lines do not mix. */
type Output = 'live' | 'kept';

const { positionals } = parseArgs({ allowPositionals: true, strict: true });
const chosen = positionals.length > 0 ? positionals : ['checks', ...hostTiers, ...clusterTiers];
const reports = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
// The agent is started hundreds of times: what was compiled once serves the rest of the run.
process.env.NODE_COMPILE_CACHE ??= join(reports, 'compiled');
const started = performance.now();

const outcomes = (await Promise.all([onHost(), onCluster()])).flat();
await rm(reports, { recursive: true, force: true });
summarise();

async function onHost(): Promise<readonly Outcome[]> {
  const done: Outcome[] = [];
  if (hostTiers.some((tier) => chosen.includes(tier)))
    done.push(await check('host', ['node', 'test/support/prepare-host.ts']));
  if (chosen.includes('checks'))
    for (const [name, command] of Object.entries(checks)) done.push(await check(name, command));
  for (const tier of hostTiers) if (chosen.includes(tier)) done.push(await runTier(tier, 'live'));
  return done;
}

async function onCluster(): Promise<readonly Outcome[]> {
  const wanted = clusterTiers.filter((tier) => chosen.includes(tier));
  if (wanted.length === 0) return [];
  const done = [await check('environment', ['node', 'test/support/tidemark/prepare.ts'])];
  for (const tier of wanted) done.push(await runTier(tier, 'kept'));
  // On a machine of one's own the cluster stays up for the next run.
  if (process.env.CI === 'true') done.push(await check('down', 'npm run demo:down'.split(' ')));
  return done;
}

async function check(name: string, [command = '', ...args]: readonly string[]): Promise<Outcome> {
  const begun = performance.now();
  const code = await run(command, args, 'live');
  return { name, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, seconds: since(begun) };
}

async function runTier(tier: string, output: Output): Promise<Outcome> {
  const begun = performance.now();
  const file = join(reports, `${tier}.json`);
  const workers = tier === 'cluster' ? ['--maxWorkers=3'] : [];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const code = await run('vitest', ['run', '--project', tier, ...workers, ...reporters], output);
  const counts = await readCounts(file);
  // A tier that failed without a failed test (a broken setup, an unhandled error) has failed all the same.
  const failed = code !== 0 && counts.failed === 0 ? 1 : counts.failed;
  return { name: tier, passed: counts.passed, failed, seconds: since(begun) };
}

async function readCounts(file: string): Promise<{ readonly passed: number; readonly failed: number }> {
  const report = await readFile(file, 'utf8').then(JSON.parse, () => undefined);
  if (report === undefined || report.numTotalTests === 0) return { passed: 0, failed: 1 };
  const unfinished = report.numPendingTests + report.numTodoTests;
  return { passed: report.numPassedTests, failed: report.numFailedTests + unfinished };
}

async function run(command: string, args: readonly string[], output: Output): Promise<number> {
  const kept: Buffer[] = [];
  const code = await new Promise<number>((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (piece: Buffer) => {
        if (output === 'live') process.stdout.write(piece);
        else kept.push(piece);
      });
    }
    child.on('error', (error) => {
      process.stdout.write(`${command} did not start: ${error.message}\n`);
      resolve(127);
    });
    child.on('close', (status) => resolve(status ?? 1));
  });
  process.stdout.write(Buffer.concat(kept));
  return code;
}

function summarise(): void {
  process.stdout.write('\nWhere the time went (host and cluster side by side):\n');
  for (const { name, passed, failed, seconds } of outcomes) {
    process.stdout.write(
      `  ${name.padEnd(14)} ${seconds.toFixed(1).padStart(7)} s  ${passed} passed, ${failed} failed\n`,
    );
  }
  process.stdout.write(`  ${'in all'.padEnd(14)} ${since(started).toFixed(1).padStart(7)} s\n\n`);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

function since(begun: number): number {
  return (performance.now() - begun) / 1000;
}
