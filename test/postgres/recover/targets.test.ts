import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryTarget } from '../../../src/api/pitr-recovery.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { recover, startAndAsk } from './recovery.ts';
import { createSource, planFor, type Source, taskFor } from './source.ts';

let source: Source;
let manifest: PhysicalManifest;
let end: string;
/** What was so when status had this value. */
const moments = new Map<string, { readonly time: string; readonly lsn: string; readonly xid: string }>();

const step = async (name: string) => {
  const said = await source.server.psql(
    `UPDATE status SET said = '${name}' RETURNING txid_current();
     SELECT pg_create_restore_point('${name}');
     SELECT pg_current_wal_insert_lsn(), to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
  );
  const [xid = '', , last = ''] = said.split('\n');
  const [lsn = '', time = ''] = last.split('|');
  moments.set(name, { time: time, lsn, xid });
};
const at = (name: string) => moments.get(name) ?? { time: '', lsn: '', xid: '' };
const asksFor = (said: string) => [{ database: 'postgres', query: 'SELECT said FROM status', expect: said }];

beforeAll(async () => {
  source = await createSource();
  await source.server.psql("CREATE TABLE status (said text); INSERT INTO status VALUES ('new')");
  manifest = await source.backUp();
  await step('one');
  await source.ship();
  await step('two');
  await source.ship();
  await step('three');
  end = await source.ship();
}, 60_000);
afterAll(() => source?.remove());

const kinds: readonly (readonly [string, () => Partial<RecoveryTarget>, string])[] = [
  ['a moment', () => ({ targetTime: at('two').time }), 'two'],
  ['an LSN', () => ({ targetLSN: at('two').lsn }), 'two'],
  ['a transaction', () => ({ targetXID: at('two').xid }), 'two'],
  ['what was before a transaction', () => ({ targetXID: at('two').xid, exclusive: true }), 'one'],
  ['a restore point', () => ({ targetName: 'two' }), 'two'],
  ['the end of the backup', () => ({ targetImmediate: true }), 'new'],
  ['the end of the archive', () => ({}), 'three'],
];

describe('a recovery', () => {
  it.each(kinds)('to %s has the value of then', async (kind, target, expected) => {
    const dataDirectory = join(source.root, kind.replaceAll(' ', '-'));
    const found = await recover(
      source,
      taskFor(planFor(manifest, end), target(), dataDirectory, { assertions: asksFor(expected) }),
    );
    expect(found.failure, found.log + found.agentLog).toBeUndefined();
    expect(found.outcome).toMatchObject({ reason: 'TargetReached' });
    expect(found.exitCode).toBe(0);
    expect(found.status).toMatchObject({ reached: { timeline: 2 }, assertions: [{ passed: true }] });
    expect(found.stages).toEqual(expect.arrayContaining(['RestoringBase', 'Checking']));
  });

  it('hands over a directory that starts by itself and holds nothing of the recovery', async () => {
    const dataDirectory = join(source.root, 'handed-over');
    const found = await recover(source, taskFor(planFor(manifest, end), { targetName: 'two' }, dataDirectory));
    expect(found.failure, found.log).toBeUndefined();
    const names = await readdir(dataDirectory);
    expect(names).not.toEqual(expect.arrayContaining(['recovery.signal']));
    expect(names.filter((name) => /signal|backup_manifest|tidemark/.test(name))).toEqual([]);
    expect((await readdir(source.root)).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(await readFile(join(dataDirectory, 'postgresql.auto.conf'), 'utf8')).not.toMatch(/restore_command/);
    await expect(access(join(dataDirectory, 'backup_label.old'))).resolves.toBeUndefined();
    expect(await startAndAsk(source, dataDirectory, 'SELECT said FROM status')).toBe('two');
  });
});
