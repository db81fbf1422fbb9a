#!/usr/bin/env node
import { randomInt } from 'node:crypto';
import { isTimeZone } from '../domain/schedule.ts';
import { systemClock } from '../kube/clock.ts';
import { clientFromKubeconfig } from '../kube/from-kubeconfig.ts';
import { processTerminal } from '../kubectl/process-terminal.ts';
import { runKubectl } from '../kubectl/program.ts';

/** As Kubernetes makes suffixes: no vowels, so that no words come out. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

// Where TZ is nonsense this is no zone either.
const localZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
// Whoever reads has had enough: `| head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runKubectl(process.argv.slice(2), {
  connect: clientFromKubeconfig,
  terminal: processTerminal(process),
  clock: systemClock,
  timeZone: isTimeZone(localZone) ? localZone : 'UTC',
  signal: stop.signal,
  suffix: () => Array.from({ length: 5 }, () => alphabet[randomInt(alphabet.length)]).join(''),
});
