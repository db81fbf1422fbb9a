import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDebianPackages } from '../support/cluster/packages.ts';
import { type Account, serverAccount } from '../support/postgres/account.ts';
import type { TestServer } from '../support/postgres/server.ts';

/** Debian's pgBackRest on one server, with a repository in a folder, zstd level 3 and two processes. */
export interface PgBackRest {
  readonly archiveCommand: string;
  readonly backUp: () => Promise<void>;
  /** Lays the newest backup into a folder, with the restore_command that replays its archive. */
  readonly restore: (folder: string) => Promise<void>;
}

const stanza = 'bench';

export async function preparePgBackRest(server: TestServer, folder: string, log: (line: string) => void) {
  await ensureDebianPackages(['pgbackrest'], log);
  const account = await serverAccount();
  await makeOwned(folder, account);
  for (const name of ['repository', 'spool', 'lock', 'log']) await makeOwned(join(folder, name), account);
  const config = join(folder, 'pgbackrest.conf');
  await writeFile(config, configuration(server, folder));
  const run = async (...args: readonly string[]) => {
    await execa('pgbackrest', [`--config=${config}`, `--stanza=${stanza}`, ...args], {
      uid: account.uid,
      gid: account.gid,
      cwd: folder,
      env: { PGPASSWORD: server.password },
    });
  };
  await run('stanza-create');
  const pgBackRest: PgBackRest = {
    archiveCommand: `pgbackrest --config=${config} --stanza=${stanza} archive-push %p`,
    backUp: () => run('backup', '--type=full', '--no-archive-check'),
    restore: async (target) => {
      await rm(target, { recursive: true, force: true });
      await makeOwned(target, account, 0o700);
      await run('restore', `--pg1-path=${target}`, '--type=default', '--archive-mode=off');
    },
  };
  return pgBackRest;
}

function configuration(server: TestServer, folder: string): string {
  return `[global]
repo1-path=${folder}/repository
spool-path=${folder}/spool
lock-path=${folder}/lock
log-path=${folder}/log
log-level-console=warn
compress-type=zst
compress-level=3
process-max=2
start-fast=y
archive-async=y

[${stanza}]
pg1-path=${server.dataFolder}
pg1-port=${server.port}
pg1-socket-path=${join(server.dataFolder, '..')}
pg1-user=${server.superuser}
`;
}

async function makeOwned(path: string, { uid, gid }: Account, mode = 0o755): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  await chown(path, uid, gid);
}
