import { runSync } from '../../src/agent/catalogue/run-sync.ts';
import { readRepository } from '../../src/agent/expire/read-repository.ts';
import { reckon } from '../../src/agent/expire/reckon.ts';
import { readCatalogue } from '../../src/agent/recover/plan/read-catalogue.ts';
import type { CatalogueStatus } from '../../src/api/catalogue.ts';
import { retention } from '../../src/api/retention.ts';
import type { ExpireTask, RepositoryTask } from '../../src/domain/task.ts';
import { identityOf } from '../../src/repository/identity.ts';
import { openStore } from '../../src/repository/open.ts';
import type { Store } from '../../src/repository/store.ts';
import { FakeRuns, log, taskOf } from '../postgres/catalogue/world.ts';
import { system } from '../postgres/expire/manifest-of.ts';

export interface ListingJob {
  readonly what: 'Nothing' | 'Bare' | 'Deep' | 'Shallow' | 'Retention' | 'RetentionOld' | 'Recovery';
  readonly mountRoot: string;
  readonly repository: RepositoryTask;
}

export interface Listed {
  readonly seconds: number;
  /** Bytes, the highest. */
  readonly rss: number;
  /** Of the store: as S3 would be asked, a thousand entries of a listing being one request. */
  readonly calls: Readonly<Record<string, number>>;
}

const job: ListingJob = JSON.parse(process.argv[2] ?? '');
const signal = AbortSignal.timeout(3_600_000);
const calls = { 'list requests': 0, gets: 0, heads: 0 };
const began = performance.now();
await work(job);
const listed: Listed = {
  seconds: (performance.now() - began) / 1000,
  rss: process.resourceUsage().maxRSS * 1024,
  calls,
};
process.stdout.write(JSON.stringify(listed));

async function work({ what, mountRoot, repository }: ListingJob): Promise<void> {
  const open = async (...given: Parameters<typeof openStore>) => counted(await openStore(...given));
  switch (what) {
    case 'Nothing':
      return;
    case 'Bare':
      await sync({}, 'Deep', open);
      return;
    case 'Deep':
    case 'Shallow':
      await sync({ knownUntil: new Date(Date.now() + 60_000).toISOString(), place: 'here' }, what, open);
      return;
    case 'Retention':
    case 'RetentionOld': {
      const store = await open(repository, 0, { mountRoot });
      const task = expireTask(
        repository,
        what === 'Retention' ? { keepLast: 100_000 } : { keepLast: 5_000, minBackups: 1 },
      );
      const now = new Date();
      const read = await readRepository(store, repository.name, task, signal);
      await reckon(read, task, {}, now, signal);
      return;
    }
    case 'Recovery': {
      const store = await open(repository, 0, { mountRoot });
      const identity = identityOf(repository, 0, { mountRoot });
      const place = { namespace: 'shop', policy: 'orders', systemIdentifier: system };
      await readCatalogue(store, place, { log, signal, identity });
    }
  }
}

async function sync(previous: CatalogueStatus, depth: 'Deep' | 'Shallow', open: typeof openStore): Promise<void> {
  const reporter = { progress: () => undefined, finish: async () => undefined, facts: async () => undefined };
  const task = { ...taskOf(job.repository), depth, previous };
  const cluster = new FakeRuns();
  await runSync({ task, cluster, open, mountRoot: job.mountRoot, reporter, log, signal });
}

function expireTask(repository: RepositoryTask, rules: object): ExpireTask {
  return {
    action: 'expire',
    namespace: 'shop',
    policy: { name: 'orders', uid: 'u', generation: 1 },
    repositories: [repository],
    retention: retention.parse({ ...rules, dryRun: true }),
    timeZones: { Logical: 'Etc/UTC', Physical: 'Etc/UTC' },
    held: [],
    issuedTime: new Date().toISOString(),
  };
}

function counted(store: Store): Store {
  return {
    ...store,
    list: (prefix, options) => pages(store.list(prefix, options)),
    listFolders: (prefix, options) => pages(store.listFolders(prefix, options)),
    get(key, options) {
      calls.gets += 1;
      return store.get(key, options);
    },
    head(key, options) {
      calls.heads += 1;
      return store.head(key, options);
    },
  };
}

async function* pages<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item, void, void> {
  let count = 0;
  for await (const item of items) {
    if (count % 1000 === 0) calls['list requests'] += 1;
    count += 1;
    yield item;
  }
  if (count === 0) calls['list requests'] += 1;
}
