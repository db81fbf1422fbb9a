import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Checks } from '../../../api/checks.ts';
import type { LogicalManifest } from '../../../domain/manifest.ts';
import { mounts } from '../../../domain/mounts.ts';
import type { RestoreTask } from '../../../domain/task.ts';
import type { ServerAccess } from '../../../postgres/access.ts';
import { withConnection } from '../../../postgres/query.ts';
import { writeLibpqFiles } from '../../../postgres/tools.ts';
import type { ActionOutcome } from '../../action.ts';
import { startHeartbeat } from '../../recover/run/heartbeat.ts';
import { questionedWords } from '../../recover/run/questioning.ts';
import { clearFolder, signsIn } from '../../recover/run/signs.ts';
import { openMirrored } from '../../restore-sources.ts';
import { type CheckList, createCheckList, failureOf } from '../../verify/check-list.ts';
import { questionServer } from '../../verify/question-server.ts';
import type { BackupFolder } from '../fetch-object.ts';
import { findSource } from '../find-ends.ts';
import { readGlobals } from '../restore-globals.ts';
import { runRestore } from '../run-restore.ts';
import type { RestoreContext } from '../work.ts';
import { type ScratchPatience, scratchSuperuser, withScratchServer } from './scratch-server.ts';

export interface EphemeralContext extends RestoreContext {
  /** Shared with the server's container. */
  readonly recovery?: string;
  readonly patience?: Partial<ScratchPatience>;
}

const usualPatience: ScratchPatience = { start: 300_000, stop: 60_000, poll: 500 };
const nothingAsked: Checks = { verifyBackup: false, dataChecksums: false, amcheck: false, dump: false };

/** Restores a logical backup into an empty server beside this container, questions it, and lets it go. */
export async function runEphemeralRestore(context: EphemeralContext): Promise<ActionOutcome> {
  const recovery = context.recovery ?? mounts.recovery;
  await clearFolder(recovery, await readdir(recovery));
  // The container beside this one waits for a word as long as this one lives.
  const heartbeat = await startHeartbeat(recovery);
  try {
    return await restoreBeside(context, recovery);
  } finally {
    await signsIn(recovery).stop();
    heartbeat.stop();
  }
}

async function restoreBeside(context: EphemeralContext, recovery: string): Promise<ActionOutcome> {
  const { task, signal, reporter, log } = context;
  const folders = context.folders ?? { scratch: mounts.scratch, temporary: mounts.temporary };
  const mountRoot = folders.mountRoot ?? '';
  const patience = { ...usualPatience, ...context.patience };
  const dataDirectory = task.ephemeral?.dataDirectory ?? '';
  const begun = performance.now();
  const { store, identity, fallbacks } = await openMirrored([task.repository, ...(task.others ?? [])], mountRoot, log);
  const temporary = await mkdtemp(join(folders.temporary, 'scratch-server-'));
  try {
    const { from, manifest } = await findSource(store, task, { identity, signal });
    if (task.restore.dryRun) return planned(manifest);
    return await withScratchServer(manifest, { recovery, dataDirectory }, { patience, signal }, async (access) => {
      await makeTablespaces(from, manifest, access, { folder: join(dirname(dataDirectory), 'tablespaces'), signal });
      const list = createCheckList(reporter, log);
      const inner = { ...context, task: taskInto(task, access, manifest) };
      let elsewhere = false;
      await list.ask('Restore', async () => {
        const restored = await runRestore({
          ...inner,
          folders: { ...folders, access: await credentials(temporary) },
        });
        elsewhere = restored.elsewhere === true;
        return { outcome: 'Passed', message: `${restored.message}${withoutGlobals(manifest)}` };
      });
      await reporter.facts({ restoreSeconds: Math.round((performance.now() - begun) / 1000) });
      await question(context, access, temporary, list, manifest);
      const failure = failureOf(list.results(), manifest.backupID);
      if (failure !== undefined) throw failure;
      return { ...outcomeOf(manifest, list), elsewhere: elsewhere || fallbacks() !== '' };
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
    await store.close();
  }
}

async function question(
  { task, signal, reporter }: EphemeralContext,
  access: ServerAccess,
  temporary: string,
  list: CheckList,
  { server }: LogicalManifest,
): Promise<void> {
  const files = await writeLibpqFiles(access, temporary);
  const asked = { access, files, major: Number(/^\d+/.exec(server.version)?.[0]), signal };
  const { assertions } = task.restore;
  await questionServer(asked, { checks: task.ephemeral?.checks ?? nothingAsked, assertions }, list, reporter);
}

/** As pg_dumpall made them they would be folders of the source's machine. */
async function makeTablespaces(
  from: BackupFolder,
  manifest: LogicalManifest,
  access: ServerAccess,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal },
): Promise<void> {
  if (manifest.logical.globals === undefined) return;
  const { newTablespaces } = await readGlobals(from, manifest, noServer, signal);
  for (const [index, name] of newTablespaces.entries()) {
    const place = join(folder, String(index));
    await mkdir(place, { recursive: true, mode: 0o700 });
    await withConnection(access, 'template1', signal, (query) =>
      query(`CREATE TABLESPACE "${name.replaceAll('"', '""')}" LOCATION '${place.replaceAll("'", "''")}'`),
    );
  }
}

const noServer: Parameters<typeof readGlobals>[2] = {
  databases: new Map(),
  roles: new Set(),
  tablespaces: new Set(),
  extensions: new Set(),
  extensionVersions: new Map(),
  isSuperuser: true,
  mayCreateDatabases: true,
};

/** Into the scratch server; its questions are asked apart. Without roles in the backup everything belongs to one. */
function taskInto(task: RestoreTask, access: ServerAccess, { logical }: LogicalManifest): RestoreTask {
  const isBare = logical.globals === undefined;
  return {
    ...task,
    server: {
      hosts: [access.host],
      port: access.port,
      database: 'template1',
      role: 'Primary',
      tls: { mode: 'disable' },
      credentialsSecretName: 'scratch',
    },
    restore: {
      ...task.restore,
      ...(isBare ? { globals: 'Skip', noOwner: true, noPrivileges: true } : {}),
      assertions: [],
    },
  };
}

async function credentials(temporary: string) {
  const folder = join(temporary, 'credentials');
  await mkdir(folder, { mode: 0o700 });
  await writeFile(join(folder, 'username'), scratchSuperuser, { mode: 0o600 });
  await writeFile(join(folder, 'password'), '', { mode: 0o600 });
  return { credentials: folder, serverCa: folder, clientCertificate: folder, systemCa: '' };
}

function withoutGlobals({ logical }: LogicalManifest): string {
  return logical.globals === undefined
    ? ' The backup holds no roles (logical.globals: None), so owners and grants were left out.'
    : '';
}

function outcomeOf({ backupID }: LogicalManifest, list: CheckList): ActionOutcome {
  const message = `Restored backup ${backupID} into an empty server, and removed that.${questionedWords(list.results())}`;
  return { reason: 'Restored', message };
}

function planned({ backupID, server, logical }: LogicalManifest): ActionOutcome {
  const names = logical.databases.map(({ name }) => name).join(', ');
  return {
    reason: 'Planned',
    message: `dryRun: an empty server of PostgreSQL ${server.version} would be made, ${names} of backup ${backupID} restored into it and questioned, and the server removed.`,
  };
}
