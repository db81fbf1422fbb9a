import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, terminal, transient } from '../../domain/failure.ts';
import { type BackupLocation, backupIDFor } from '../../domain/layout.ts';
import type { LogicalManifest } from '../../domain/manifest.ts';
import { mounts } from '../../domain/mounts.ts';
import { isOrphan, type RunState } from '../../domain/orphan.ts';
import type { Started } from '../../domain/started.ts';
import type { BackupTask } from '../../domain/task.ts';
import type { AccessRoots } from '../../postgres/access.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import { withConnection } from '../../postgres/query.ts';
import { type LibpqFiles, type Tool, toolFor, toolVersion, writeLibpqFiles } from '../../postgres/tools.ts';
import { sweepOrphans } from '../../repository/sweep-orphans.ts';
import type { Compression } from '../../stream/compress.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import type { Patience } from '../while-answering.ts';
import { factsAtBegin, factsAtEnd, factsAtFailure, factsOfPending, summarize } from './backup-facts.ts';
import { buildManifest, totalBytes } from './build-manifest.ts';
import { commitEverywhere, failureOfSome } from './commit-everywhere.ts';
import { chooseDatabases, type Database, listDatabases } from './databases.ts';
import { type DumpedDatabases, dumpDatabases } from './dump-databases.ts';
import { tellFailed } from './failed-databases.ts';
import { dumpGlobals } from './globals.ts';
import { createMeter, type Meter } from './meter.ts';
import { onChosenServer } from './on-chosen-server.ts';
import {
  alive,
  claimEverywhere,
  openRepositories,
  type Repository,
  removeDropped,
  removeEverywhere,
  type Target,
} from './targets.ts';

export interface BackupContext extends ActionContext<BackupTask> {
  /** Who this attempt is. */
  readonly attempt: Pick<Started, 'run' | 'runUID' | 'jobName' | 'pod'>;
  /** What became of the run that left a folder without a manifest. */
  readonly runState: (started: Started) => Promise<RunState>;
  /** Whether a verification of a backup has failed. */
  readonly isDistrusted?: (made: { readonly run: string; readonly backupID: string }) => Promise<boolean>;
  readonly folders?: Folders;
  /** How long a server may say nothing; tests have less of it. */
  readonly patience?: Patience;
}

/** Where the pod has what; tests have it elsewhere. */
export interface Folders {
  readonly access?: AccessRoots;
  readonly mountRoot?: string;
  readonly scratch: string;
  readonly temporary: string;
}

/**
 * One logical backup, from the server to a manifest in every repository. Whatever fails is thrown, and nothing that looks
 * like a backup is left behind; but where some databases cannot be dumped, the others are kept in a backup that says so, and
 * where some repositories cannot be written to, the others have it (StoredInSome).
 */
export async function runBackup(context: BackupContext): Promise<ActionOutcome> {
  return onChosenServer(context, backUp);
}

async function backUp(context: BackupContext, server: ChosenServer): Promise<ActionOutcome> {
  const { task, signal, reporter } = context;
  const folders = context.folders ?? { scratch: mounts.scratch, temporary: mounts.temporary };
  const { compression } = task;
  const startTime = new Date();
  const tools = await findTools(server.facts.major);
  const databases = chooseDatabases(await readDatabases(server, task, signal), task.logical.databases);
  const repositories = await openRepositories(task.repositories, folders.mountRoot);
  const privateFolder = await makeFolder(folders.temporary);
  const scratch = await makeFolder(folders.scratch);
  const meter = createMeter(reporter, totalBytes(databases));
  let targets: readonly Target[] = [];
  let ended: ActionOutcome | Failure;
  try {
    const files = await writeLibpqFiles(server.access, privateFolder);
    await sweep(context, repositories);
    targets = await claim(context, repositories, server, startTime);
    await reporter.facts(factsAtBegin(server.facts, databases, targets));
    const work: Work = { context, server, tools, compression, files, scratch, meter, targets };
    // First: where the roles cannot be read, nothing else is read in vain.
    const globals = await dumpRoles(work);
    const { dumped, failed, dropped, warnings } = await dumpAll(work, databases);
    const backup = buildManifest({
      task,
      run: context.attempt.run,
      backupID: targets[0]?.location.backupID ?? '',
      startTime,
      completionTime: new Date(),
      server: server.facts,
      compression,
      encryption: alive(targets)[0]?.encryption,
      databases: dumped,
      failed,
      globals,
      tool: await toolVersion(tools.dump),
    });
    const checksum = await commitEverywhere(targets, () => backup, signal);
    meter.stop();
    const notRemoved = await removeDropped(targets);
    const told = { backup, targets, notRemoved, databases, dropped, warnings, scope: task.logical.globals };
    await reporter.facts(factsAtEnd(told, checksum));
    ended = conclude(backup, targets, summarize(told));
  } catch (error) {
    const notRemoved = await removeEverywhere(targets);
    if (targets.length > 0) await reporter.facts(factsAtFailure(targets, notRemoved));
    throw signal.aborted ? signal.reason : error;
  } finally {
    meter.stop();
    await Promise.all([privateFolder, scratch].map((folder) => rm(folder, { recursive: true, force: true })));
    await Promise.allSettled(repositories.map(({ store }) => store.close()));
  }
  if (ended instanceof Failure) throw ended;
  return ended;
}

/** A backup that lacks databases is kept, and is a failure: nobody takes it for one that has them. */
function conclude(
  { backupID, logical }: LogicalManifest,
  targets: readonly Target[],
  summary: string,
): ActionOutcome | Failure {
  const { databases, failed = [] } = logical;
  if (failed.length === 0) return failureOfSome(targets, summary) ?? { reason: 'BackupStored', message: summary };
  return terminal('DatabasesFailed', tellFailed(failed, databases.length + failed.length, backupID));
}

interface Tools {
  readonly dump: Tool;
  readonly dumpall: Tool;
  readonly restore: Tool;
}

interface Work {
  readonly context: BackupContext;
  readonly server: ChosenServer;
  readonly tools: Tools;
  readonly compression: Compression;
  readonly files: LibpqFiles;
  readonly scratch: string;
  readonly meter: Meter;
  readonly targets: readonly Target[];
}

async function findTools(major: number): Promise<Tools> {
  const [dump, dumpall, restore] = await Promise.all([
    toolFor('pg_dump', major),
    toolFor('pg_dumpall', major),
    toolFor('pg_restore', major),
  ]);
  return { dump, dumpall, restore };
}

async function makeFolder(within: string): Promise<string> {
  try {
    return await mkdtemp(join(within, 'backup-'));
  } catch (cause) {
    throw transient(
      'ScratchUnavailable',
      `Cannot make a folder in ${within}: ${cause instanceof Error ? cause.message : String(cause)}. Check the volume of jobTemplate.scratch.`,
      cause,
    );
  }
}

function readDatabases(server: ChosenServer, task: BackupTask, signal: AbortSignal): Promise<readonly Database[]> {
  return withConnection(server.access, task.server.database, signal, listDatabases);
}

/** Removes what earlier attempts of this policy left. */
export async function sweep(
  { task, attempt, runState, log, signal }: BackupContext,
  repositories: readonly Repository[],
) {
  const scope = { namespace: task.namespace, policy: task.policy.name };
  for (const { name, store } of repositories) {
    const decide = async (candidate: Parameters<typeof isOrphan>[0]) =>
      isOrphan(candidate, {
        now: new Date(),
        runState: candidate.started === undefined ? 'unknown' : await runState(candidate.started),
        self: attempt,
      });
    try {
      const removed = await sweepOrphans(store, scope, decide, signal);
      if (removed.length > 0) log.info({ repository: name, removed }, 'removed what earlier attempts left');
    } catch (error) {
      signal.throwIfAborted();
      if (repositories.length === 1) throw error;
      log.warn({ repository: name, err: error }, 'cannot look for what earlier attempts left');
    }
  }
}

/** The backup's place, of one and the same ID, in every repository. */
export async function claim(
  { task, attempt, signal }: BackupContext,
  repositories: readonly Repository[],
  { facts }: ChosenServer,
  startTime: Date,
): Promise<readonly Target[]> {
  const location: BackupLocation = {
    namespace: task.namespace,
    policy: task.policy.name,
    systemIdentifier: facts.systemIdentifier,
    backupID: backupIDFor(startTime, task.method, task.type),
  };
  const started = { ...attempt, startTime: startTime.toISOString(), deadlineSeconds: task.deadlineSeconds };
  return claimEverywhere(repositories, location, started, signal);
}

function dumpAll(work: Work, databases: readonly Database[]): Promise<DumpedDatabases> {
  const { context, server, tools, compression, files, scratch, meter, targets } = work;
  const { log, reporter, signal, task } = context;
  const { logical } = task;
  return dumpDatabases({
    ...{ access: server.access, files, tools, logical, compression, targets, meter, scratch, signal },
    databases,
    maintenance: task.server.database,
    onBegin: ({ name, bytes }, step) => log.info({ database: name, bytes, format: logical.format }, step),
    onFailed: async (failed) => {
      const latest = failed.at(-1);
      log.error({ database: latest?.name, reason: latest?.reason }, latest?.message ?? '');
      await reporter.facts(factsOfPending(databases, failed));
    },
  });
}

async function dumpRoles({ context, server, tools, compression, files, meter, targets }: Work) {
  const { logical, server: asked } = context.task;
  if (logical.globals === 'None') return undefined;
  meter.begin('dumping roles and tablespaces', 0, async () => undefined);
  const globals = await dumpGlobals({
    access: server.access,
    database: asked.database,
    files,
    tool: tools.dumpall,
    scope: logical.globals,
    compression,
    targets,
    signal: context.signal,
  });
  if (!globals.withPasswords && logical.globals !== 'Tablespaces') {
    context.log.warn(
      { role: server.access.username },
      'roles are stored without passwords: reading them needs a superuser',
    );
  }
  return globals;
}
