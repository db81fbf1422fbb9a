import { access, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLsn } from '../../../domain/wal/lsn.ts';
import type { RecoverContext, RecoverFolders, RecoverPatience } from './context.ts';
import type { Wanted } from './explain-log.ts';
import { type Followed, followServer, requireEnd } from './follow-server.ts';
import type { Source } from './open-source.ts';
import type { Told } from './progress.ts';
import { getWalScript, hostBasedAuthentication, recoverScript } from './scripts.ts';
import { serveWal, type WalService } from './serve-wal.ts';
import { serverArguments, settingFloors } from './server-arguments.ts';
import { type Signs, writeWhole } from './signs.ts';
import { superuserNames } from './superuser.ts';
import { lastSegment } from './wal-range.ts';

export interface ServerRun {
  readonly context: RecoverContext;
  readonly folders: RecoverFolders;
  readonly patience: RecoverPatience;
  readonly source: Source;
  readonly signs: Signs;
  readonly told: Told;
}

/** Lets the server beside this container recover, gives it its WAL, and watches it to the target. */
export async function runServer(run: ServerRun, onServing: (service: WalService) => void): Promise<Followed> {
  const { context, folders, patience, source, signs, told } = run;
  const { task, log, signal } = context;
  const { plan } = task;
  const { dataDirectory } = task.place;
  const standby = task.standbyOf !== undefined;
  const service = await serveWal({
    folder: folders.recovery,
    source: source.wal,
    range: source.range,
    until: plan.targetLSN === undefined ? source.range.end : parseLsn(plan.targetLSN) + BigInt(plan.segmentSize),
    systemIdentifier: plan.systemIdentifier,
    local: new Set(await readdir(join(dataDirectory, 'pg_wal')).catch(() => [])),
    patience: patience.serve,
    log,
    signal,
  });
  onServing(service);
  const start = await prepareStart(run);
  const superusers = await superuserNames(dataDirectory, source.base.manifest.physical.settings.bootstrap_superuser);
  await writeFile(join(dataDirectory, standby ? 'standby.signal' : 'recovery.signal'), '', { mode: 0o600 });
  await signs.setArguments(start(new Map()));
  await signs.begin(recoverScript(plan.major));
  const followed = await followServer({
    signs,
    service,
    plan,
    wanted: wantedOf(run),
    socket: folders.recovery,
    superusers,
    raise: async (settings) => {
      await signs.setArguments(start(settings));
      await signs.restart();
    },
    isFarEnough: standby ? () => task.target.targetImmediate === true || service.absent.size > 0 : undefined,
    told,
    patience,
    log,
    signal,
  });
  if (goesToTheEnd(run)) requireEnd(service, lastSegment(source.range), followed.reached);
  return followed;
}

/** Writes what lies beside the arguments, and gives the arguments for settings of at least these values. */
async function prepareStart({
  context: { task },
  folders: { recovery },
  source,
}: ServerRun): Promise<(raised: ReadonlyMap<string, number>) => readonly string[]> {
  const { plan, place, target } = task;
  await writeWhole(join(recovery, 'get-wal.sh'), getWalScript());
  await writeWhole(join(recovery, 'pg_hba.conf'), hostBasedAuthentication);
  await writeWhole(join(recovery, 'pg_ident.conf'), '');
  const own = await access(join(place.dataDirectory, 'postgresql.conf')).then(
    () => true,
    () => false,
  );
  const configFile = own ? undefined : join(recovery, 'postgresql.conf');
  if (configFile !== undefined) await writeWhole(configFile, '');
  const named = Object.entries(source.base.manifest.physical.settings).map(([name, value]) => ({ name, value }));
  return (raised) =>
    serverArguments(
      target,
      plan,
      settingFloors([
        ...plan.settings,
        ...named,
        ...[...raised].map(([name, value]) => ({ name, value: String(value) })),
      ]),
      { recovery, dataDirectory: place.dataDirectory, configFile },
      { standby: task.standbyOf !== undefined, ephemeral: task.ephemeral === true },
    );
}

/** No target, so that replay ends where the archive does. */
export function goesToTheEnd({ context: { task } }: Pick<ServerRun, 'context'>): boolean {
  const { targetTime, targetLSN, targetXID, targetName, targetImmediate } = task.target;
  return [targetTime, targetLSN, targetXID, targetName, targetImmediate].every((one) => one === undefined);
}

function wantedOf({ context: { task } }: ServerRun): Wanted {
  const { target, plan } = task;
  const { targetTime, targetLSN, targetXID, targetName } = target;
  const said = [
    targetTime === undefined ? undefined : `time ${targetTime}`,
    targetLSN === undefined ? undefined : `LSN ${targetLSN}`,
    targetXID === undefined ? undefined : `transaction ${targetXID}`,
    targetName === undefined ? undefined : `restore point ${JSON.stringify(targetName)}`,
  ].find((one) => one !== undefined);
  return {
    target: said ?? (target.targetImmediate === true ? 'the end of the backup' : 'the end of the archive'),
    endOfArchive: plan.endOfArchive,
    endOfArchiveTime: plan.endOfArchiveTime,
  };
}
