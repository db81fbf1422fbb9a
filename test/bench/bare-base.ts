import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { TestServer } from '../support/postgres/server.ts';

/** Base backups and their restore as a person would type them. */
export interface BareBase {
  readonly nowhere: () => Promise<void>;
  /** Packed by the server, to nowhere. */
  readonly packedNowhere: () => Promise<void>;
  readonly piped: () => Promise<void>;
  readonly restore: (dataDirectory: string) => Promise<void>;
}

export async function prepareBareBase(server: TestServer, folder: string): Promise<BareBase> {
  await mkdir(folder);
  const connection = ['-h', server.host, '-p', String(server.port), '-U', server.superuser];
  // With its own WAL: without, it waits for an archive.
  const backup = [join(server.bin, 'pg_basebackup'), ...connection, '-Ft', '-X', 'fetch', '-c', 'fast', '-D', '-'];
  const packed = join(folder, 'base.tar.zst');
  const shell = (script: string, ...args: readonly string[]) =>
    execa('sh', ['-c', script, ...args], { env: { PGPASSWORD: server.password, PACKED: packed } });
  return {
    nowhere: async () => {
      await shell('"$0" "$@" > /dev/null', ...backup);
    },
    packedNowhere: async () => {
      // The list of files cannot be put into a tar that is packed already.
      const packing = ['--compress', 'server-zstd:level=3,workers=1', '--no-manifest'];
      await shell('"$0" "$@" > /dev/null', ...backup, ...packing);
    },
    piped: async () => {
      await shell('"$0" "$@" | zstd -q -3 -T2 > "$PACKED"', ...backup);
      if ((await stat(packed)).size === 0) throw new Error('zstd wrote nothing');
    },
    restore: async (dataDirectory) => {
      await shell('rm -rf "$0" && mkdir "$0" && zstd -q -d -c "$PACKED" | tar x -C "$0" -f -', dataDirectory);
    },
  };
}
