import { defineConfig } from 'vitest/config';

// One project a tier. unit: pure, fake clock. postgres: real servers on the host. cluster: real Kubernetes. faults: what
// breaks in production. Nothing is retried; a test that needs a second try is a defect. What is waited for has 120 seconds,
// which a test that passes does not take, and a test has more.
const tier = (
  name: string,
  options: {
    timeout: number;
    parallel: boolean;
    /** What was imported once serves every file: for those that change nothing outside of themselves. */
    shared?: boolean;
    execArgv?: readonly string[];
    setup?: string;
    folders?: readonly string[];
    exclude?: string;
  },
) => ({
  test: {
    name,
    include: (options.folders ?? [name]).map((folder) => `test/${folder}/**/*.test.ts`),
    exclude: options.exclude === undefined ? [] : [options.exclude],
    testTimeout: options.timeout,
    hookTimeout: options.timeout,
    fileParallelism: options.parallel,
    isolate: options.shared !== true,
    retry: 0,
    execArgv: [...(options.execArgv ?? [])],
    expect: { poll: { timeout: 120_000 } },
    ...(options.setup === undefined ? {} : { globalSetup: [options.setup] }),
  },
});

/**
 * A test that makes backups in its own process takes 16 MiB for each part of an upload and gives them back, and V8 collects
 * its whole heap at each 64 MiB of such memory: a quarter of what the tier asked of the processors. Counted with the heap,
 * they are collected with it. What must stay small is measured in processes of its own, which this does not reach.
 */
const fewCollections = ['--external-memory-accounted-in-global-limit', '--initial-heap-size=256'];

export default defineConfig({
  test: {
    projects: [
      tier('unit', { timeout: 150_000, parallel: true, shared: true, execArgv: fewCollections }),
      tier('postgres', {
        timeout: 300_000,
        parallel: false,
        execArgv: fewCollections,
        setup: 'test/support/postgres/global-setup.ts',
      }),
      tier('cluster', {
        timeout: 300_000,
        parallel: true,
        setup: 'test/support/tidemark/global-setup.ts',
        exclude: 'test/cluster/alone/**',
      }),
      // What stops the cluster's one operator runs when nothing else does.
      tier('cluster-alone', {
        timeout: 300_000,
        parallel: false,
        setup: 'test/support/tidemark/global-setup.ts',
        folders: ['cluster/alone'],
      }),
      tier('faults', {
        timeout: 300_000,
        parallel: false,
        execArgv: fewCollections,
        setup: 'test/support/postgres/global-setup.ts',
        folders: ['store', 'damage', 'crash', 'database', 'input', 'security'].map((folder) => `faults/${folder}`),
      }),
      // Each with an operator of its own, for its namespace.
      tier('faults-cluster', {
        timeout: 600_000,
        parallel: true,
        setup: 'test/support/tidemark/global-setup-without-operator.ts',
        folders: ['faults/cluster'],
      }),
      // Breaks the one cluster, or needs all of it.
      tier('faults-cluster-alone', {
        timeout: 600_000,
        parallel: false,
        setup: 'test/support/tidemark/global-setup.ts',
        folders: ['faults/cluster-alone', 'faults/soak'],
      }),
    ],
  },
});
