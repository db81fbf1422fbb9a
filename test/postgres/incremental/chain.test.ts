import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorld, type Made, type World } from './world.ts';

describe.each([17, 18])('a chain of PostgreSQL %i', (major) => {
  let world: World;
  let full: Made;
  let first: Made;
  let second: Made;
  let differential: Made;

  beforeAll(async () => {
    world = await createWorld(major);
    full = await world.backUp('Full');
    await world.write();
    first = await world.backUp('Incremental', { physical: { walMethod: 'Stream', compress: 'Server' } });
    await world.write();
    second = await world.backUp('Incremental');
    await world.write();
    differential = await world.backUp('Differential', { physical: { compress: 'Server' } });
    await world.write();
  });
  afterAll(async () => {
    await world?.remove();
  });

  const describeOf = ({ manifest: { backupID, type, parentBackupID, format } }: Made) => ({
    type,
    parentBackupID,
    format,
    named: /-(full|incremental|differential)(-\d+)?$/.exec(backupID)?.[1],
  });

  it('each is what it says, and names what it stands on', () => {
    const [one, two] = [full.manifest.backupID, first.manifest.backupID];
    expect(describeOf(full)).toEqual({ type: 'Full', parentBackupID: undefined, format: 1, named: 'full' });
    expect(describeOf(first)).toEqual({ type: 'Incremental', parentBackupID: one, format: 3, named: 'incremental' });
    expect(describeOf(second)).toEqual({ type: 'Incremental', parentBackupID: two, format: 3, named: 'incremental' });
    expect(describeOf(differential)).toEqual({
      type: 'Differential',
      parentBackupID: one,
      format: 3,
      named: 'differential',
    });
    expect(second.manifest.parentChecksum).toBe(first.status.checksum);
    expect(second.status).toMatchObject({
      type: 'Incremental',
      parentBackupID: two,
      chain: { fullBackupID: one, length: 3 },
      forcedFull: undefined,
    });
    expect(full.status).toMatchObject({ type: 'Full', parentBackupID: '', chain: undefined });
  });

  it('an increment is small beside the full backup', () => {
    expect(first.manifest.physical.streams?.length).toBeGreaterThan(0);
    expect(second.manifest.physical.chunks.length).toBeGreaterThan(0);
    for (const { manifest } of [first, second, differential])
      expect(manifest.size.stored).toBeLessThan(full.manifest.size.stored / 2);
  });

  it.each(['full', 'first', 'second', 'differential'] as const)(
    'the %s one is restored as it was then',
    async (which) => {
      const { manifest, state } = { full, first, second, differential }[which];
      expect(await world.restored(manifest.backupID)).toBe(state);
    },
  );
});
