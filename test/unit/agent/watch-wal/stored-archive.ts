import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NamedArchive } from '../../../../src/agent/watch-wal/archives.ts';
import { volumeStore } from '../../../../src/repository/volume.ts';
import { openWalArchive } from '../../../../src/repository/wal-archive.ts';

/** Without an end: this serves every test of its worker. */
export const call = { signal: new AbortController().signal };

export interface StoredArchive extends NamedArchive {
  readonly put: (...names: readonly string[]) => Promise<void>;
  /** Where timeline 1 was left for this one. */
  readonly putHistory: (timeline: number, left: string) => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** An archive in a folder of its own. */
export async function makeArchive(name = 'local-disk'): Promise<StoredArchive> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-archive-'));
  const store = volumeStore({ mount: folder, claimName: 'backups', path: 'wal' });
  const archive = openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier: '1' });
  return {
    name,
    archive,
    put: async (...names) => {
      for (const each of names) await archive.put(each, Buffer.from('WAL'), call);
    },
    putHistory: async (timeline, left) => {
      const file = `${timeline.toString(16).padStart(8, '0').toUpperCase()}.history`;
      await archive.put(file, Buffer.from(`1\t${left}\tno recovery target specified\n`), call);
    },
    remove: async () => {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
