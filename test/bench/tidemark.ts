import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { readParents } from '../../src/agent/recover/plan/read-chain.ts';
import { backupPolicySpec } from '../../src/api/backup-policy.ts';
import { backupRepositorySpec } from '../../src/api/backup-repository.ts';
import type { RecoveryPlan } from '../../src/api/pitr-recovery.ts';
import { mounts } from '../../src/domain/mounts.ts';
import type { Task } from '../../src/domain/task.ts';
import { readManifest } from '../../src/repository/backups.ts';
import { openStore } from '../../src/repository/open.ts';
import { serverAccount } from '../support/postgres/account.ts';
import { otherReleasesRoot } from '../support/postgres/other-releases.ts';
import type { TestServer } from '../support/postgres/server.ts';
import { bundle } from './bundle.ts';
import { type Memory, watchMemory } from './usage.ts';

/** The agents of one server, each a process of its own, with a repository in a folder. */
export interface Tidemark {
  backUp(compress: 'Client' | 'Server', type?: 'Full' | 'Incremental'): Promise<void>;
  /** Bytes of the newest backup in the repository. */
  storedBytes(): number;
  /** Lays the newest backup, until its server may be started, and clears away what it laid. */
  restore(dataDirectory: string, whenLaid: () => Promise<void>): Promise<void>;
  readonly archiveCommand: string;
  /** `as`: whose archive it is, and how it is packed; by default the one that replay() reads. */
  startArchiving(as?: Archived): Promise<void>;
  stopArchiving(): Promise<void>;
  /** Recovers to the end of the archive and gives the server's log. */
  replay(dataDirectory: string, endOfArchive: string): Promise<string>;
  /** Peaks of resident memory in bytes: Node and the processes it starts, the server not. */
  readonly memory: ReadonlyMap<string, number>;
}

export interface Archived {
  readonly policy: string;
  readonly level: number | undefined;
}

const owner = { namespace: 'shop', policy: 'orders' };
const policy = { name: owner.policy, uid: 'b6a2' };
const repository = { name: 'folder', spec: backupRepositorySpec.parse({ volume: { claimName: 'backups' } }) };
const environment = { PATH: '/usr/bin:/bin', TIDEMARK_POSTGRESQL_ROOT: '/usr/lib/postgresql' };
const compression = { algorithm: 'zstd', level: 3 } as const;

export async function prepareTidemark(server: TestServer, root: string): Promise<Tidemark> {
  const account = await serverAccount();
  const spool = root + mounts.walSpool;
  await mkdir(root + mounts.repository.volume(0), { recursive: true });
  await mkdir(spool, { recursive: true });
  await mkdir(root + mounts.credentials, { recursive: true });
  await writeFile(join(root + mounts.credentials, 'username'), server.superuser);
  await writeFile(join(root + mounts.credentials, 'password'), server.password);
  const program = await bundle(join(import.meta.dirname, 'agent-process.ts'), join(root, 'program'));
  await execa('chown', ['-R', `${account.uid}:${account.gid}`, root]);
  await chmod(root, 0o755);
  const as = { uid: account.uid, gid: account.gid, cwd: root };
  const memory = new Map<string, number>();
  const keep = (what: string, watch: Memory) => memory.set(what, Math.max(memory.get(what) ?? 0, watch.takePeak()));
  let newest: { readonly path: string; readonly checksum: string; readonly stored: number } | undefined;
  const tools = server.major > 15 ? otherReleasesRoot : environment.TIDEMARK_POSTGRESQL_ROOT;
  let archiver: { readonly agent: Agent; readonly watch: Memory } | undefined;

  // An image holds what was compiled before.
  const start = (task: Task, recovery?: string): Agent =>
    runProcess(
      spawn(
        process.execPath,
        ['--max-semi-space-size=4', program, JSON.stringify({ task, mountRoot: root, recovery })],
        {
          ...as,
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...environment, TIDEMARK_POSTGRESQL_ROOT: tools, NODE_COMPILE_CACHE: join(root, 'cache') },
        },
      ),
    );
  const makeRecovery = async (dataDirectory: string, endOfArchive?: string) => {
    if (newest === undefined) throw new Error('there is no backup to restore');
    const plan = await planFor(root, newest, endOfArchive);
    const folder = await mkdtemp(join(root, 'pod-'));
    await execa('chown', [`${account.uid}:${account.gid}`, folder]);
    return { folder, task: recoverTask(plan, dataDirectory) };
  };

  return {
    memory,
    archiveCommand: `sh ${spool}/archive.sh "%p" "%f"`,
    storedBytes: () => newest?.stored ?? 0,
    async backUp(compress, type = 'Full') {
      const agent = start(backupTask(server, compress, type));
      const watch = watchMemory(agent.pid);
      const status = (await agent.ended) as {
        readonly checksum: string;
        readonly repositories: readonly { readonly path: string }[];
        readonly type: string;
        readonly size: { readonly stored: string };
      };
      if (status.type !== type) throw new Error(`the backup is ${status.type} in place of ${type}`);
      keep(`full, compress ${compress}`, watch);
      watch.stop();
      const stored = Number(status.size.stored);
      newest = { path: status.repositories[0]?.path ?? '', checksum: status.checksum, stored };
    },
    async restore(dataDirectory, whenLaid) {
      const { folder, task } = await makeRecovery(dataDirectory);
      const agent = start(task, folder);
      const watch = watchMemory(agent.pid);
      await until(agent, () => exists(join(folder, 'recover.sh')));
      await whenLaid();
      keep('restore', watch);
      watch.stop();
      // Nobody runs the script: as if its server had ended at once.
      await writeFile(join(folder, 'exit'), '0');
      agent.terminate();
      await agent.ended.catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
    async startArchiving(as = { policy: owner.policy, level: compression.level }) {
      await rm(join(spool, 'archive.sh'), { force: true });
      const agent = start(archiveTask(as));
      archiver = { agent, watch: watchMemory(agent.pid) };
      await until(agent, () => exists(join(spool, 'archive.sh')));
    },
    async stopArchiving() {
      if (archiver === undefined) return;
      keep('archiver', archiver.watch);
      archiver.watch.stop();
      archiver.agent.terminate();
      await archiver.agent.ended;
    },
    async replay(dataDirectory, endOfArchive) {
      const { folder, task } = await makeRecovery(dataDirectory, endOfArchive);
      const wrapper = 'while [ ! -e "$0/recover.sh" ]; do sleep 0.05; done; exec sh "$0/recover.sh"';
      const agent = start(task, folder);
      const watch = watchMemory(agent.pid);
      const beside = spawn('sh', ['-c', wrapper, folder], { ...as, stdio: ['ignore', 'pipe', 'pipe'] });
      const log: Buffer[] = [];
      beside.stdout.on('data', (part: Buffer) => log.push(part));
      beside.stderr.on('data', (part: Buffer) => log.push(part));
      const gone = once(beside, 'close');
      try {
        await until(agent, () => exists(join(folder, 'started')));
        // What the laying took is told with the restore.
        watch.takePeak();
        await agent.ended;
        keep('server of WAL', watch);
        await gone;
        return Buffer.concat(log).toString();
      } finally {
        watch.stop();
        beside.kill('SIGTERM');
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

interface Agent {
  readonly pid: number;
  /** The status that it told; rejects with what it complained of. */
  readonly ended: Promise<unknown>;
  readonly terminate: () => void;
}

function runProcess(child: ChildProcess): Agent {
  const [said, complained]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (part: Buffer) => said.push(part));
  child.stderr?.on('data', (part: Buffer) => complained.push(part));
  const ended = once(child, 'close').then(([code]) => {
    if (code !== 0) throw new Error(`the agent ended with ${code}:\n${Buffer.concat(complained).toString()}`);
    return JSON.parse(Buffer.concat(said).toString()) as unknown;
  });
  ended.catch(() => undefined);
  return { pid: child.pid ?? 0, ended, terminate: () => child.kill('SIGTERM') };
}

/** Rejects where the agent ends before. */
async function until({ ended }: Agent, condition: () => Promise<boolean>): Promise<void> {
  let over = false;
  const early = ended.then(() => {
    over = true;
    throw new Error('the agent ended before its time');
  });
  const looks = (async () => {
    while (!over && !(await condition())) await delay(5);
  })();
  try {
    await Promise.race([early, looks]);
  } finally {
    over = true;
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function backupTask(server: TestServer, compress: 'Client' | 'Server', type: 'Full' | 'Incremental'): Task {
  const spec = backupPolicySpec.parse({
    source: { host: server.host, credentialsSecretRef: { name: 'server' } },
    repositoryRefs: [{ name: repository.name }],
    // Its own WAL goes with it, so that nothing waits for an archive.
    physical: { walMethod: 'Stream', compress, allowFaultyIncrementals: true },
    compression,
  });
  return {
    action: 'backup',
    namespace: owner.namespace,
    policy,
    method: 'Physical',
    type,
    server: {
      hosts: [server.host],
      port: server.port,
      database: 'postgres',
      role: 'Primary',
      credentialsSecretName: 'server',
    },
    repositories: [repository],
    logical: spec.logical,
    physical: spec.physical,
    compression: spec.compression,
    deadlineSeconds: 3600,
  };
}

/** What a policy has that says nothing of it. */
export const defaultLevelOfWal = backupPolicySpec.parse({
  source: { host: 'server', credentialsSecretRef: { name: 'server' } },
  repositoryRefs: [{ name: repository.name }],
}).walArchiving.compression.level;

function archiveTask({ policy: name, level }: Archived): Task {
  return {
    action: 'archive',
    namespace: owner.namespace,
    policy: { ...policy, name },
    repositories: [repository],
    maxParallel: 2,
    compression: { ...compression, level },
  };
}

/** As the planning agent makes it. */
async function planFor(
  mountRoot: string,
  { path, checksum }: { readonly path: string; readonly checksum: string },
  endOfArchive?: string,
): Promise<RecoveryPlan> {
  const store = await openStore(repository, 0, { mountRoot });
  try {
    const signal = AbortSignal.timeout(10_000);
    const { manifest } = await readManifest(store, path, { signal, expectedSha256: checksum });
    if (manifest.method !== 'Physical') throw new Error(`${path} is no physical backup`);
    const { physical } = manifest;
    const location = { ...owner, systemIdentifier: manifest.server.systemIdentifier };
    const chain = await readParents(store, location, { manifest, path }, signal);
    return {
      backupID: manifest.backupID,
      backupPath: path,
      parents: chain.map((each) => ({ backupID: each.manifest.backupID, path: each.path, checksum: each.checksum })),
      repository: repository.name,
      ...owner,
      systemIdentifier: manifest.server.systemIdentifier,
      major: Number.parseInt(manifest.server.version, 10),
      version: manifest.server.version,
      segmentSize: physical.segmentSize,
      beginLSN: physical.beginLSN,
      endLSN: physical.endLSN,
      beginTimeline: physical.timeline,
      targetTimeline: physical.timeline,
      endOfArchive: endOfArchive ?? physical.endLSN,
      bytes: String(manifest.size.source),
      dataDirectory: physical.dataDirectory,
      ...physical.owner,
      settings: [],
    };
  } finally {
    await store.close();
  }
}

function recoverTask(plan: RecoveryPlan, dataDirectory: string): Task {
  return {
    action: 'recover',
    namespace: owner.namespace,
    recovery: { name: 'bench', uid: '11112222-0000-4000-8000-000000000001' },
    source: { repository, ...owner },
    target: { targetTLI: 'latest', exclusive: false, backupID: '' },
    plan,
    place: { dataDirectory },
    assertions: [],
  };
}
