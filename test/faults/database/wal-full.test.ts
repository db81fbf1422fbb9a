import { mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  backUp,
  backupTask,
  createSetting,
  inventory,
  openRepository,
  volumeRepository,
} from '../../postgres/backup/setting.ts';
import { writeSegments } from '../../postgres/watch-wal/world.ts';
import { serverAccount } from '../../support/postgres/account.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { archivedFiles, exists, makeSetting, type Setting, startSidecar, until } from '../../support/wal/sidecar.ts';
import { type Breakable, startBreakable } from './breakable.ts';

let archiving: Setting;
let server: Breakable;
let volume: string;
let mounted = false;

beforeAll(async () => {
  archiving = await makeSetting();
  server = await startBreakable({
    settings: {
      wal_level: 'replica',
      archive_mode: 'on',
      archive_command: archiving.command,
      min_wal_size: '32MB',
      max_wal_size: '32MB',
      autovacuum: 'off',
    },
  });
  await server.shutDown();
  volume = await mkdtemp(join(await runFolder(), 'pg-wal-'));
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=112m', 'tmpfs', volume]);
  mounted = true;
  const { uid, gid } = await serverAccount();
  const own = join(server.dataFolder, 'pg_wal');
  await execa('cp', ['-a', own, join(volume, 'pg_wal')]);
  await execa('chown', ['-R', `${uid}:${gid}`, volume]);
  await rename(own, `${own}.before`);
  await symlink(join(volume, 'pg_wal'), own);
  await server.start();
});

afterAll(async () => {
  await server?.stop();
  if (mounted) await execa('umount', [volume]);
  await rm(volume, { recursive: true, force: true });
  await archiving?.remove();
});

test('a disk of WAL that ran full for want of the archive: after it is enlarged, all of it is archived', async () => {
  const setting = await createSetting(server);
  // Nobody takes what the server wants to archive, until it cannot write any more.
  const load = await writeSegments(server, 20).catch((error: unknown) => error);
  expect(load).toBeInstanceOf(Error);
  const kept = await segments();
  expect(kept.length).toBeGreaterThan(4);
  const failed = await backUp(setting, backupTask(server)).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failed).toMatchObject({
    reason: expect.stringMatching(/^(ConnectionRefused|ConnectionLost|ServerStarting|ServerShutDown|DiskFull)$/),
    retryable: true,
  });
  const store = await openRepository(setting, volumeRepository);
  expect((await inventory(store)).backups).toEqual([]);
  await store.close();

  await execa('mount', ['-o', 'remount,size=512m', volume]);
  if (!(await exists(join(server.dataFolder, 'postmaster.pid')))) await server.start();
  const sidecar = startSidecar(archiving);
  await until('the script is there', () => exists(join(archiving.spool, 'archive.sh')));
  await until('the server answers', () =>
    server.psql('SELECT pg_switch_wal()').then(
      () => true,
      () => false,
    ),
  );
  await until('nothing waits', async () => !(await statuses()).some((name) => name.endsWith('.ready')));
  const archived = await archivedFiles(archiving.volume);
  const [first] = kept;
  for (const name of kept.slice(0, -1)) expect(archived.has(name), name).toBe(true);
  const done = (await statuses()).flatMap((name) => (/^[0-9A-F]{24}\.done$/.test(name) ? [name.slice(0, -5)] : []));
  for (const name of done.filter((each) => each >= (first ?? ''))) {
    const own = await readFile(join(server.dataFolder, 'pg_wal', name)).catch(() => undefined);
    if (own !== undefined) expect(archived.get(name)?.equals(own), name).toBe(true);
  }
  await expect(backUp(setting, backupTask(server))).resolves.toMatchObject({ outcome: { reason: 'BackupStored' } });
  await sidecar.stop();
  await setting.remove();
});

/** What waits for the archive, in its order. */
async function segments(): Promise<readonly string[]> {
  return (await statuses()).flatMap((name) => (/^[0-9A-F]{24}\.ready$/.test(name) ? [name.slice(0, -6)] : [])).sort();
}

function statuses(): Promise<readonly string[]> {
  return readdir(join(server.dataFolder, 'pg_wal', 'archive_status'));
}
