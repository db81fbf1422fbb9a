import { expect } from 'vitest';
import { backupPath } from '../../../src/domain/layout.ts';
import { objectsOf } from '../../../src/domain/manifest-objects.ts';
import { readManifest } from '../../../src/repository/backups.ts';
import { listBackups } from '../../../src/repository/find-backup.ts';
import type { Store } from '../../../src/repository/store.ts';
import { verifyObjects } from '../../../src/repository/verify-objects.ts';

const signal = () => AbortSignal.timeout(120_000);

/** Whatever looks like a backup is one: every object of it is read, and is what the manifest says. */
export async function requireTrueBackups(store: Store): Promise<readonly string[]> {
  const complete: string[] = [];
  for await (const { location, complete: isComplete } of listBackups(store, signal())) {
    if (!isComplete) continue;
    const path = backupPath(location);
    const { manifest } = await readManifest(store, path, { signal: signal() });
    expect(await verifyObjects(store, path, manifest, signal()), path).toEqual([]);
    complete.push(path);
  }
  return complete;
}

/** What lies there besides what complete backups name; nothing of it may stay. */
export async function orphansIn(store: Store): Promise<readonly string[]> {
  const known = new Set<string>();
  for (const path of await requireTrueBackups(store)) {
    const { manifest } = await readManifest(store, path, { signal: signal() });
    for (const name of ['manifest.json', 'started.json', 'hold.json', ...objectsOf(manifest).map((each) => each.path)])
      known.add(`${path}/${name}`);
  }
  const keys = await Array.fromAsync(store.list('', { signal: signal() }));
  const unfinished = await store.sweepUnfinished('', new Date(8.64e15), { signal: signal() });
  return [
    ...keys.flatMap(({ key }) => (known.has(key) || key.includes('/wal/') ? [] : [key])),
    ...(unfinished > 0 ? [`${unfinished} unfinished uploads`] : []),
  ];
}
