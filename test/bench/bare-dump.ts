import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { TestServer } from '../support/postgres/server.ts';

export const formats = ['Plain', 'Custom', 'Directory', 'Tar'] as const;
export type Format = (typeof formats)[number];

/**
 * PostgreSQL's own tools as a person would type them, with the same compression, as many jobs as the agent has, and on the
 * disk when they end, as pg_dump does by itself where it writes files.
 */
export interface BareTools {
  /** For the table. */
  readonly dumping: string;
  readonly restoring: string;
  dump(): Promise<void>;
  /** Where pg_dump cannot pack as the agent does: its files packed so afterwards. */
  readonly samePacking: { readonly title: string; dump(): Promise<void> } | undefined;
  /** Into a new database; the statistics too, as the agent makes them. */
  restore(database: string): Promise<void>;
}

export function bareTools(format: Format, server: TestServer, folder: string): BareTools {
  const file = join(folder, `bare-${format.toLowerCase()}`);
  const unpacked = `${file}.unpacked`;
  const { bin } = server;
  const env = {
    ...{ PGHOST: server.host, PGPORT: String(server.port), PGUSER: server.superuser, PGPASSWORD: server.password },
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
  };
  const shell = async (script: string, database: string) => {
    const fresh = { FILE: file, UNPACKED: unpacked, PGDATABASE: database };
    // Where a stage before the last one fails, the result would look like a fast one.
    await execa('bash', ['-c', `set -eo pipefail; ${script}`], { env: { ...env, ...fresh } });
  };
  const { dump, samePacking, restore } = scripts[format];
  return {
    dumping: dump.title,
    restoring: `${restore.title}, ANALYZE`,
    async dump() {
      await rm(file, { recursive: true, force: true });
      await shell(dump.script, 'postgres');
      if ((await stat(file)).size === 0) throw new Error(`${dump.title} wrote nothing`);
    },
    samePacking: samePacking && { title: samePacking.title, dump: () => shell(samePacking.script, 'postgres') },
    async restore(database) {
      await shell(`createdb -T template0 "$PGDATABASE"; ${restore.script}; psql -qXc ANALYZE`, database);
      await rm(unpacked, { force: true });
    },
  };
}

interface Step {
  readonly title: string;
  readonly script: string;
}

const intoZstd = (dump: string): Step => ({
  title: `${dump} | zstd -3, sync`,
  script: `${dump} | zstd -q -3 -T0 > "$FILE"; sync "$FILE"`,
});

const scripts: Readonly<Record<Format, { readonly dump: Step; readonly samePacking?: Step; readonly restore: Step }>> =
  {
    Plain: {
      dump: intoZstd('pg_dump -Fp'),
      restore: {
        title: 'zstd -d | psql -1',
        script: 'zstd -qdc "$FILE" | psql -qX -1 -v ON_ERROR_STOP=1 -o /dev/null',
      },
    },
    Custom: {
      dump: intoZstd('pg_dump -Fc -Z0'),
      restore: {
        title: 'zstd -d, pg_restore -j2',
        script: 'zstd -qdf "$FILE" -o "$UNPACKED"; pg_restore -e -j2 -d "$PGDATABASE" "$UNPACKED"',
      },
    },
    Directory: {
      dump: { title: 'pg_dump -Fd -j2 -Z1', script: 'pg_dump -Fd -j2 -Z1 -f "$FILE"' },
      samePacking: {
        title: 'pg_dump -Fd -j2 -Z0, tar | zstd -3, sync',
        script:
          'pg_dump -Fd -j2 -Z0 --no-sync -f "$UNPACKED"; tar -C "$UNPACKED" -c . | zstd -q -3 -T0 > "$FILE.tar.zst"; sync "$FILE.tar.zst"; rm -r "$UNPACKED"',
      },
      restore: { title: 'pg_restore -j2 of a folder', script: 'pg_restore -e -j2 -d "$PGDATABASE" "$FILE"' },
    },
    Tar: {
      dump: intoZstd('pg_dump -Ft'),
      restore: { title: 'zstd -d | pg_restore', script: 'zstd -qdc "$FILE" | pg_restore -e -d "$PGDATABASE"' },
    },
  };
