import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { walReader } from '../../../src/agent/recover/plan/read-wal.ts';
import { serveWal } from '../../../src/agent/recover/run/serve-wal.ts';
import { runWatchWal } from '../../../src/agent/watch-wal/run-watch.ts';
import type { WatchWalTask } from '../../../src/domain/task.ts';
import { openStore } from '../../../src/repository/open.ts';
import { openWalArchive } from '../../../src/repository/wal-archive.ts';
import { archiveTask, exists, startSidecar, until, volumeRepository } from '../../support/wal/sidecar.ts';

/**
 * One of those that handle WAL, in a process of its own, which says at its end how many KiB it had at most. Takes JSON as
 * its argument; those that go on for ever end by SIGTERM.
 */
export type Given =
  | { readonly kind: 'archive'; readonly root: string }
  | { readonly kind: 'watch'; readonly root: string; readonly task: WatchWalTask; readonly credentials: string }
  | {
      readonly kind: 'replay';
      readonly root: string;
      readonly policy: string;
      readonly name: string;
      readonly systemIdentifier: string;
      readonly begin: string;
      readonly segmentSize: number;
    };

const given: Given = JSON.parse(process.argv[2] ?? '');
const quiet = () => undefined;
const told = new AbortController();
process.on('SIGTERM', () => told.abort(new Error('told to stop')));
const toldToStop = new Promise<void>((resolve) => told.signal.addEventListener('abort', () => resolve()));
const alive = setInterval(quiet, 1000);

if (given.kind === 'archive') {
  const sidecar = startSidecar(given, archiveTask());
  await toldToStop;
  await sidecar.stop();
} else if (given.kind === 'watch') {
  const { credentials, root } = given;
  await runWatchWal({
    task: given.task,
    folders: { access: { credentials, serverCa: root, clientCertificate: root, systemCa: '' }, mountRoot: root },
    log: {
      info: quiet,
      warn: (fields: object) => void process.stderr.write(`${JSON.stringify(fields)}\n`),
      error: quiet,
    },
    signal: told.signal,
    pace: { look: 500, report: 500, reconnect: { first: 50, longest: 400 } },
    reporter: { progress: quiet, finish: async () => undefined, facts: async () => undefined },
  });
} else {
  await replay(given);
}
clearInterval(alive);
// Not maxRSS of getrusage(), which begins with what the process had that made this one.
const [, most = ''] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile('/proc/self/status', 'utf8')) ?? [];
process.stdout.write(most);

async function replay({
  root,
  policy,
  name,
  systemIdentifier,
  begin,
  segmentSize,
}: Given & { readonly kind: 'replay' }) {
  const signal = AbortSignal.timeout(110_000);
  const store = await openStore(volumeRepository, 0, { mountRoot: root });
  const source = openWalArchive(store, { namespace: 'shop', policy, systemIdentifier });
  const from = BigInt(begin);
  const end = from + BigInt(segmentSize);
  const facts = await walReader(source, segmentSize, signal).read(name, end);
  const folder = join(root, 'serve');
  await mkdir(folder);
  const service = await serveWal({
    ...{ folder, source, systemIdentifier, signal, until: end, local: new Set<string>(), patience: 1000 },
    range: { begin: from, end, timeline: 1, ancestors: [], segmentSize },
    log: pino({ enabled: false }),
  });
  await writeFile(join(folder, 'want', name), '');
  await until(
    'the segment is given',
    async () => service.failure() !== undefined || (await exists(join(folder, 'have', name))),
  );
  await service.stop();
  await store.close();
  if (service.failure() !== undefined || facts?.lastCommit === undefined)
    throw service.failure() ?? new Error('no commit');
}
