import { describe, expect, it } from 'vitest';
import { manifests } from '../../unit/api/manifests.ts';
import { useApiServer } from './api-server.ts';

const server = useApiServer();

/** A change a row: the manifest, the merge patch of its spec, and what a refusal says; none: the change is taken. */
const onlyHoldAndCancel = 'only hold and cancel may change';
const onlyCancel = 'only cancel may change';
const changes: readonly (readonly [string, object, string | undefined])[] = [
  ['orders-before-the-migration', { hold: true }, undefined],
  ['orders-before-the-migration', { hold: null }, undefined],
  ['orders-before-the-migration', { cancel: true }, undefined],
  ['orders-before-the-migration', { cancel: true, hold: true }, undefined],
  ['orders-before-the-migration', { policyRef: { name: 'other' } }, onlyHoldAndCancel],
  ['orders-before-the-migration', { method: 'Physical' }, onlyHoldAndCancel],
  ['orders-manual-x7k2p', { type: 'Incremental' }, onlyHoldAndCancel],
  ['orders-before-the-migration', { deletionPolicy: 'Delete' }, onlyHoldAndCancel],
  ['bring-orders-back', { cancel: true }, undefined],
  ['bring-orders-back', { source: { backupRunRef: { name: 'other' } } }, onlyCancel],
  ['bring-orders-back', { databases: [{ name: 'orders' }] }, onlyCancel],
  ['bring-orders-back', { databases: null }, onlyCancel],
  ['bring-orders-back', { dryRun: true }, onlyCancel],
  ['bring-orders-back', { jobs: 1 }, onlyCancel],
  ['questioned', { databases: [] }, undefined],
  ['before-the-delete', { cancel: true }, undefined],
  ['before-the-delete', { recoveryTarget: { targetTime: '2026-11-21T10:16:00+01:00' } }, onlyCancel],
  ['before-the-delete', { objectives: null }, onlyCancel],
  ['before-the-delete', { extract: null }, onlyCancel],
  ['end-of-wal', { objectives: { rtoSeconds: 60 } }, onlyCancel],
  ['end-of-wal', { recoveryTarget: {} }, undefined],
];

describe('what was asked for stays as it was asked', () => {
  it.each(changes.map((change, index) => [...change, index] as const))('%s: %j', async (name, spec, message, index) => {
    const manifest = manifests().find(({ metadata }) => metadata.name === name);
    if (manifest === undefined) throw new Error(`There is no manifest ${name}`);
    const stored = await server.create({ ...manifest, metadata: { name: `changed-${index}` } });
    const { object, refusal } = await server.change(manifest.kind, stored.metadata.name, spec);
    if (message === undefined) {
      expect(refusal).toBeUndefined();
      expect(object?.spec).toMatchObject(
        Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== null)),
      );
    } else {
      expect(refusal).toContain('spec');
      expect(refusal).toContain(message);
    }
  });

  it.each(['BackupRun', 'RestoreRequest', 'PitrRecovery'])('a cancelled %s stays cancelled', async (kind) => {
    const manifest = manifests().find((candidate) => candidate.kind === kind);
    await server.create({ kind, metadata: { name: 'cancelled' }, spec: { ...manifest?.spec, cancel: true } });
    for (const cancel of [false, null]) {
      expect((await server.change(kind, 'cancelled', { cancel })).refusal).toContain('stays cancelled');
    }
  });

  it('a policy may be changed at any time', async () => {
    const manifest = manifests().find(({ metadata }) => metadata.name === 'outside');
    await server.create({ kind: 'BackupPolicy', metadata: { name: 'outside' }, spec: manifest?.spec });
    const { object } = await server.change('BackupPolicy', 'outside', { suspend: true, schedules: [] });
    expect(object?.spec).toMatchObject({ suspend: true, schedules: [] });
  });
});
