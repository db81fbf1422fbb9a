import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import type { BackupContext } from '../../../src/agent/backup/run-backup.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { BackupTask, RepositoryTask } from '../../../src/domain/task.ts';
import { otherReleasesRoot } from '../../support/postgres/other-releases.ts';
import { createSetting, type Setting, volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask } from '../physical/physical-setting.ts';
import { recover, startAndAsk } from '../recover/recovery.ts';
import { createSource, type Source, taskFor } from '../recover/source.ts';
import { planOf } from '../recover-plan/plan-of.ts';

export type BackupType = BackupTask['type'];

/** A server that makes increments, a repository, and what was in the server when each backup was made. */
export interface World {
  readonly source: Source;
  readonly setting: Setting;
  /** Makes changes that an increment must bring: new rows, other rows, rows less, in tablespaces too. */
  readonly write: () => Promise<void>;
  /** What a backup that begins now must give back. */
  readonly state: () => Promise<string>;
  readonly backUp: (type: BackupType, options?: BackUpOptions) => Promise<Made>;
  /** The same, where it is to fail or its status is of interest. */
  readonly tryToBackUp: (type: BackupType, options?: BackUpOptions) => ReturnType<typeof backUpPhysically>;
  /** What a server that was recovered to the end of this backup holds. */
  readonly restored: (backupID: string, more?: RestoreOptions) => Promise<string>;
  /** The file of a stored object. */
  readonly fileOf: (path: string) => string;
  readonly remove: () => Promise<void>;
}

export interface BackUpOptions {
  readonly physical?: object;
  readonly repository?: RepositoryTask;
  readonly context?: Partial<BackupContext>;
}

export interface RestoreOptions {
  readonly repository?: RepositoryTask;
}

export interface Made {
  readonly manifest: PhysicalManifest;
  readonly path: string;
  readonly status: Record<string, unknown>;
  readonly message: string;
  readonly state: string;
}

const question = `SELECT (SELECT md5(string_agg(id || body, '' ORDER BY id)) FROM orders),
                         (SELECT md5(string_agg(id::text, '' ORDER BY id)) FROM elsewhere)`;

export async function createWorld(major: number, settings: Readonly<Record<string, string>> = {}): Promise<World> {
  // The tools of the majors that make increments.
  process.env.TIDEMARK_POSTGRESQL_ROOT = otherReleasesRoot;
  const source = await createSource({ summarize_wal: 'on', autovacuum: 'off', ...settings }, { major });
  const { server, account, mountRoot } = source;
  const place = join(dirname(server.dataFolder), 'elsewhere');
  await mkdir(place);
  await execa('chown', ['--reference', server.dataFolder, place]);
  await server.psql(
    "CREATE TABLE orders AS SELECT id, encode(sha256(id::text::bytea), 'base64') AS body FROM generate_series(1, 60000) id",
  );
  await server.psql(`CREATE TABLESPACE elsewhere LOCATION '${place}'`);
  await server.psql('CREATE TABLE elsewhere TABLESPACE elsewhere AS SELECT id FROM generate_series(1, 20000) id');
  const own = await createSetting(server);
  const setting = { ...own, folders: { ...own.folders, mountRoot } };
  const state = () => server.psql(question);
  let turn = 0;
  const tryToBackUp = async (
    type: BackupType,
    { physical = {}, repository = volumeRepository, context }: BackUpOptions = {},
  ) => {
    const asked = { walMethod: 'Fetch', allowFaultyIncrementals: true, ...physical };
    const task = { ...physicalTask(server, asked, { repositories: [repository] }), type };
    const found = await backUpPhysically(setting, task, context);
    await execa('chown', ['-R', `${account.uid}:${account.gid}`, mountRoot]);
    return found;
  };
  return {
    source,
    setting,
    state,
    async write() {
      turn += 1;
      await server.psql(`UPDATE orders SET body = 'changed ${turn}' WHERE id % 997 = ${turn}`);
      await server.psql(
        `INSERT INTO orders SELECT ${turn * 100_000} + id, 'new ${turn}' FROM generate_series(1, 3000) id`,
      );
      await server.psql(`DELETE FROM elsewhere WHERE id % 1009 = ${turn}`);
      await server.psql(`CREATE TABLE of_turn_${turn} TABLESPACE elsewhere AS SELECT ${turn} AS turn`);
    },
    async backUp(type, options) {
      const before = await state();
      const { error, outcome, reporter } = await tryToBackUp(type, options);
      if (error !== undefined) throw error;
      const { status } = reporter;
      return {
        ...(await physicalManifestOf(source.store, status)),
        status,
        message: outcome?.message ?? '',
        state: before,
      };
    },
    tryToBackUp,
    async restored(backupID, { repository } = {}) {
      const dataDirectory = join(source.root, `restored-${backupID}`);
      const from = repository === undefined ? {} : { source: { repository, namespace: 'shop', policy: 'orders' } };
      try {
        const { recovery } = await planOf(source, { targetImmediate: true, backupID }, from);
        const task = taskFor(recovery, { targetImmediate: true, backupID }, dataDirectory, from);
        const found = await recover(source, task);
        expect(found.failure, found.log + found.agentLog).toBeUndefined();
        const { stdout } = await execa('ls', ['-A', source.root]);
        expect(stdout.split('\n').filter((name) => name.startsWith('.'))).toEqual([]);
        return await startAndAsk(source, dataDirectory, question);
      } finally {
        await execa('sh', ['-c', 'rm -rf "$1" "$1".*', 'sh', dataDirectory]);
      }
    },
    fileOf: (path) => join(mountRoot, mounts.repository.volume(0), 'tidemark', path),
    async remove() {
      await own.remove();
      await source.remove();
      await rm(source.root, { recursive: true, force: true });
    },
  };
}
