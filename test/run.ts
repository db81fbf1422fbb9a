import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';

/**
 * `npm test`: every check and every tier, in the order in which a fault is cheapest to find; what takes long and needs no
 * attention (cluster, images) is built beside the first tiers. `npm test -- unit cluster` runs some of them.
 * A skipped test counts as failed. The last line is `N passed, N failed`.
 */
const checks: Readonly<Record<string, readonly string[]>> = {
  typecheck: ['tsc', '--noEmit'],
  lint: ['biome', 'check', '.'],
  crds: ['node', 'src/cmd/crdgen.ts', '--check'],
};
const tiers = ['unit', 'postgres', 'cluster', 'cluster-alone'] as const;

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

const { positionals } = parseArgs({ allowPositionals: true, strict: true });
const chosen = positionals.length > 0 ? positionals : ['checks', ...tiers];
const reports = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
const started = performance.now();
const needsCluster = chosen.some((name) => name.startsWith('cluster'));
const outcomes: Outcome[] = [];

try {
  const environment = needsCluster ? prepare().then((outcome) => outcomes.push(outcome)) : undefined;
  if (chosen.includes('checks'))
    for (const [name, command] of Object.entries(checks)) outcomes.push(await check(name, command));
  for (const tier of tiers) {
    if (!chosen.includes(tier)) continue;
    if (tier.startsWith('cluster')) await environment;
    outcomes.push(await runTier(tier));
  }
} finally {
  await rm(reports, { recursive: true, force: true });
  if (needsCluster) await leaveAsFound();
}
summarise();

async function check(name: string, [command = '', ...args]: readonly string[]): Promise<Outcome> {
  const begun = performance.now();
  const code = await run(command, args);
  return { name, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, seconds: since(begun) };
}

/** The cluster and the images, in a process of their own: their output is told apart, their fault is one failed check. */
async function prepare(): Promise<Outcome> {
  return await check('environment', ['node', 'test/support/tidemark/prepare.ts']);
}

async function leaveAsFound(): Promise<void> {
  if (process.env['CI'] === 'true') await run('node', ['test/support/cluster/command.ts', 'down']);
}

async function runTier(tier: string): Promise<Outcome> {
  const begun = performance.now();
  const file = join(reports, `${tier}.json`);
  const code = await run('vitest', [
    'run',
    '--project',
    tier,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ]);
  const counts = await readCounts(file);
  // A tier that failed without a failed test (a broken setup, an unhandled error) has failed all the same.
  const failed = code !== 0 && counts.failed === 0 ? 1 : counts.failed;
  return { name: tier, passed: counts.passed, failed, seconds: since(begun) };
}

async function readCounts(file: string): Promise<{ passed: number; failed: number }> {
  const report = await readFile(file, 'utf8').then(JSON.parse, () => undefined);
  if (report === undefined || report.numTotalTests === 0) return { passed: 0, failed: 1 };
  const unfinished = report.numPendingTests + report.numTodoTests;
  return { passed: report.numPassedTests, failed: report.numFailedTests + unfinished };
}

async function run(command: string, args: readonly string[]): Promise<number> {
  return await new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', (error) => {
      process.stderr.write(`${command} did not start: ${error.message}\n`);
      resolve(127);
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

function summarise(): void {
  process.stdout.write('\nWhere the time went (steps overlap):\n');
  for (const { name, passed, failed, seconds } of outcomes) {
    process.stdout.write(
      `  ${name.padEnd(12)} ${seconds.toFixed(1).padStart(7)} s  ${passed} passed, ${failed} failed\n`,
    );
  }
  process.stdout.write(`  ${'in all'.padEnd(12)} ${since(started).toFixed(1).padStart(7)} s\n\n`);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

function since(begun: number): number {
  return (performance.now() - begun) / 1000;
}
