import { expect } from 'vitest';
import { nextSegmentName, parseWalFileName } from '../../../src/domain/wal/file-name.ts';
import {
  archivedNames,
  openArchive,
  serverSegments,
  systemIdentifierOf,
  type World,
  within,
} from '../../postgres/watch-wal/world.ts';
import type { TestServer } from '../../support/postgres/server.ts';

const size = 16 * 1024 ** 2;

/** The last whole segment, once the server is in the one after it. */
export function lastWhole({ psql }: Pick<TestServer, 'psql'>): Promise<string> {
  return psql(`SELECT pg_walfile_name(pg_current_wal_lsn() - ${size})`);
}

/** What is stored has no hole and is the server's own, byte for byte; gives the names. */
export async function expectWhole(world: World, server: TestServer, timeline = 1): Promise<readonly string[]> {
  const archive = await openArchive(world, await systemIdentifierOf(server));
  const names = (await archivedNames(archive, timeline)).filter((name) => !name.endsWith('.partial'));
  const own = await serverSegments(server.dataFolder);
  let expected = names[0] ?? '';
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    expect(name).toBe(expected);
    const stored = await archive.get(name, within());
    expect(stored?.equals(own.get(name) ?? Buffer.alloc(0)), name).toBe(true);
    const file = parseWalFileName(name);
    if (file?.kind !== 'Segment') throw new Error(`${name} is no segment`);
    expected = nextSegmentName(file.timeline, file.number, size);
  }
  await archive.store.close();
  return names;
}
