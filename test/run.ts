import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { readTierReport } from './support/tier-report.ts';

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
/** The cluster's tests wait more than they work. */
const workersOf: Readonly<Record<string, string>> = { unit: '100%', cluster: '3', 'faults-cluster': '2' };
const clusterTiers = ['cluster', 'cluster-alone', 'faults-cluster', 'faults-cluster-alone'] as const;

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly string[];
  readonly seconds: number;
  /** Of the processors, by its own processes; what goes on in the cluster's pods is not among them. */
  readonly worked: number;
}

/** Shown as it comes, or kept until the step has ended, so that two steps' lines do not mix. */
type Output = 'live' | 'kept';

const { positionals } = parseArgs({ allowPositionals: true, strict: true });
const chosen = positionals.length > 0 ? positionals : ['checks', ...hostTiers, ...clusterTiers];
const reports = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
// The agent is started hundreds of times: what was compiled once serves the rest of the run.
process.env.NODE_COMPILE_CACHE ??= join(reports, 'compiled');
const started = performance.now();
const busyAtStart = busySeconds();

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
  const { code, worked } = await run(command, args, 'live');
  const failures = code === 0 ? [] : [`${[command, ...args].join(' ')} ended with ${code}`];
  return { name, passed: 1 - failures.length, failed: failures.length, failures, seconds: since(begun), worked };
}

async function runTier(tier: string, output: Output): Promise<Outcome> {
  const begun = performance.now();
  const file = join(reports, `${tier}.json`);
  const workers = workersOf[tier] === undefined ? [] : [`--maxWorkers=${workersOf[tier]}`];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const { code, worked } = await run('vitest', ['run', '--project', tier, ...workers, ...reporters], output);
  const { passed, failed, failures } = await readTierReport(file);
  const outcome = { name: tier, passed, failed, failures, seconds: since(begun), worked };
  if (code === 0 || failed > 0) return outcome;
  // A tier that failed without a failed test (a broken setup, an unhandled error) has failed all the same.
  return { ...outcome, failed: 1, failures: [...failures, 'an error outside of every test: see above'] };
}

async function run(
  command: string,
  args: readonly string[],
  output: Output,
): Promise<{ readonly code: number; readonly worked: number }> {
  const kept: Buffer[] = [];
  let times = '';
  const code = await new Promise<number>((resolve) => {
    // The shell tells what the processor did for it; signals reach both, as they are of one group.
    const script = '"$@" 3>&-; code=$?; times >&3; exit $code';
    const child = spawn('sh', ['-c', script, 'sh', command, ...args], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    child.stdio[3]?.on('data', (piece: Buffer) => {
      times += piece.toString();
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (piece: Buffer) => {
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
  return { code, worked: workedSeconds(times) };
}

/** What `times` says: the shell's own user and system time, and, in the second line, those of what it ran. */
function workedSeconds(times: string): number {
  const parts = [...times.matchAll(/(\d+)m([\d.]+)s/g)].slice(-2);
  return parts.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}

/** Of all processors, since the machine started. */
function busySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}

function summarise(): void {
  const failures = outcomes.flatMap(({ name, failures }) => failures.map((failure) => `  ${name}: ${failure}\n`));
  if (failures.length > 0) process.stdout.write(`\nWhat failed:\n${failures.join('')}`);
  process.stdout.write('\nWhere the time went (host and cluster side by side):\n');
  for (const { name, passed, failed, seconds, worked } of outcomes) {
    process.stdout.write(
      `  ${name.padEnd(20)} ${duration(seconds)} (processor ${duration(worked)})  ${passed} passed, ${failed} failed\n`,
    );
  }
  const whole = since(started);
  const busy = (busySeconds() - busyAtStart) / (whole * cpus().length);
  process.stdout.write(
    `  ${'in all'.padEnd(20)} ${duration(whole)} (processors ${(busy * 100).toFixed(0)} % busy)\n\n`,
  );
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

function duration(seconds: number): string {
  return `${seconds.toFixed(1).padStart(7)} s`;
}

function since(begun: number): number {
  return (performance.now() - begun) / 1000;
}
