import { runWatchWal } from '../../../src/agent/watch-wal/run-watch.ts';

/** A watcher in a process of its own, so that it can be killed. Takes JSON as its argument. */
const { task, folders } = JSON.parse(process.argv[2] ?? '');
const quiet = () => undefined;
await runWatchWal({
  task,
  folders,
  log: { info: quiet, warn: quiet, error: quiet },
  signal: AbortSignal.timeout(100_000),
  pace: { look: 500, report: 500, reconnect: { first: 50, longest: 400 } },
  reporter: { progress: quiet, finish: async () => undefined, facts: async () => undefined },
});
