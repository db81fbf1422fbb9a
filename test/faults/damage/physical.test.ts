import { readdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Failure } from '../../../src/domain/failure.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { readManifest } from '../../../src/repository/backups.ts';
import { verifyObjects } from '../../../src/repository/verify-objects.ts';
import { createWorld, type Made, type World } from '../../postgres/incremental/world.ts';
import { recover, startAndAsk } from '../../postgres/recover/recovery.ts';
import { taskFor } from '../../postgres/recover/source.ts';
import { planOf } from '../../postgres/recover-plan/plan-of.ts';
import { chooseSeed, randomFrom } from '../../support/faults/random.ts';
import { bounded } from '../../support/faults.ts';
import { type Damage, damaged, damages } from './damages.ts';
import { kindOf, type ObjectKind } from './kinds.ts';

const seed = chooseSeed();
const signal = () => AbortSignal.timeout(120_000);
const question = 'SELECT count(*), md5(string_agg(id || body, $$$$ ORDER BY id)) FROM orders';
let world: World;
let root: string;
let incremental: Made;
/** At the end of the second timeline. */
let expected: string;
/** Where its last segment begins. */
let before: string;

/** A full backup, an increment on it, WAL of two timelines: the second begins where the first went on. */
beforeAll(async () => {
  world = await createWorld(17);
  const { source } = world;
  root = join(source.mountRoot, mounts.repository.volume(0), 'tidemark');
  await world.backUp('Full', { physical: { compress: 'Client' } });
  await world.write();
  incremental = await world.backUp('Incremental', { physical: { compress: 'Client' } });
  await source.server.psql("INSERT INTO orders VALUES (-1, 'after'); SELECT pg_create_restore_point('fork')");
  await source.server.psql("INSERT INTO orders VALUES (-2, 'on the first timeline')");
  await source.ship();
  const second = join(source.root, 'second');
  const { recovery } = await planOf(source, { targetName: 'fork' });
  const forked = await recover(source, taskFor(recovery, { targetName: 'fork' }, second));
  expect(forked.failure, forked.log).toBeUndefined();
  const command = `cp %p ${source.archived}/.%f.tmp && mv ${source.archived}/.%f.tmp ${source.archived}/%f`;
  await writeFile(join(second, 'command.conf'), `archive_mode = on\narchive_command = '${command}'\n`);
  const said = await startAndAsk(
    source,
    second,
    `${question}; INSERT INTO orders VALUES (-3, 'on the second timeline'); SELECT pg_switch_wal()`,
    `-c config_file=${second}/command.conf -c data_directory=${second}`,
  );
  await source.shipArchived();
  expected = (await restored()).said ?? '';
  expect(expected).toMatch(/^\d+\|/);
  before = said.split('\n')[0] ?? '';
}, 240_000);
afterAll(() => world?.remove());

/** Planned and recovered to the end of the latest timeline, as a PitrRecovery does it. */
async function restored(): Promise<{ readonly said?: string; readonly refused?: Failure['reason'] }> {
  const { source } = world;
  const dataDirectory = join(source.root, 'restored');
  const { backupID } = incremental.manifest;
  try {
    const { recovery } = await planOf(source, { backupID });
    const found = await recover(source, taskFor(recovery, { backupID }, dataDirectory));
    if (found.failure !== undefined) {
      expect(await readdir(source.root)).not.toContain('restored');
      expect(found.failure.message).toMatch(/\w+.*\./);
      return { refused: found.failure.reason };
    }
    return { said: await startAndAsk(source, dataDirectory, question) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { refused: error.reason };
  } finally {
    // The data directory, and its staging and tablespaces beside it: the next try is on an empty volume.
    for (const name of await readdir(source.root))
      if (name.startsWith('restored')) await rm(join(source.root, name), { recursive: true, force: true });
  }
}

/** What reads every object of a backup, and every file of the archive, says. */
async function verified(key: string): Promise<'found' | 'not found'> {
  const { source } = world;
  try {
    const backup = /^.*\/backups\/[^/]+(?=\/)/.exec(key)?.[0];
    if (backup === undefined) {
      const name = key.slice(key.lastIndexOf('/') + 1).replace(/\.zst$/, '');
      await source.archive.histories({ signal: signal() });
      const content = await source.archive.get(name, { signal: signal() });
      if (content === undefined) return 'found';
      return name.endsWith('.history')
        ? 'not found'
        : (await source.archive.commitTimes(name, { signal: signal() })) === undefined
          ? 'found'
          : 'not found';
    }
    const { manifest } = await readManifest(source.store, backup, { signal: signal() });
    return (await verifyObjects(source.store, backup, manifest, signal())).length > 0 ? 'found' : 'not found';
  } catch (error) {
    if (!(error instanceof Failure) && !(error instanceof RangeError) && !(error instanceof Error)) throw error;
    return 'found';
  }
}

const notNeeded: ReadonlySet<ObjectKind> = new Set(['started', 'hold', 'file list', 'WAL index']);

async function keys(): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.tmp-'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** Of the same kind, elsewhere. */
const siblingOf = (key: string, all: readonly string[]) =>
  all.find((each) => each !== key && kindOf(each) === kindOf(key));

test('damage of any object of a chain and of the archive is found, and never restored silently', async () => {
  const random = randomFrom(seed);
  const all = await keys();
  const byKind = Map.groupBy(all, kindOf);
  for (const kind of ['manifest', 'started', 'base', 'backup_manifest', 'history file', 'WAL'] as const)
    expect(byKind.get(kind)?.length ?? 0, kind).toBeGreaterThan(0);
  const outcomes = new Map<string, number>();
  const newest = all.findLast((key) => kindOf(key) === 'WAL') ?? '';
  const judge = async (key: string, damage: Damage) => {
    const where = `${key}: ${damage.name}, TIDEMARK_SEED=${seed}`;
    const kind = kindOf(key);
    const said = await verified(key);
    const { said: got, refused } = await restored();
    // WAL that nothing of this target reads may be what it likes. Where the newest is not there, the archive ends before it.
    const ends = key === newest && damage.name === 'missing';
    if (got !== undefined) expect(got, where).toBe(ends ? before : expected);
    const needs = kind === 'manifest' || kind === 'base' || kind === 'backup_manifest';
    if (needs) expect({ said, refused: refused !== undefined }, where).toEqual({ said: 'found', refused: true });
    return `${kind}: verification: ${said}; recovery: ${refused === undefined ? 'right without it' : `refused, ${refused}`}`;
  };
  const wound = async (key: string, damage: Damage) => {
    const owned = () => execa('chown', ['-R', `${world.source.account.uid}:${world.source.account.gid}`, root]);
    const sibling = siblingOf(key, all);
    const other = sibling === undefined ? undefined : join(root, sibling);
    const outcome = await damaged(join(root, key), damage, { other, random }, async () => {
      await owned();
      return judge(key, damage);
    });
    await owned();
    if (outcome !== undefined) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  };
  for (const [kind, those] of byKind) {
    if (notNeeded.has(kind) && bounded(1, 2) === 1) continue;
    // The last ones are those that the target needs.
    const chosen = bounded(1, 2) === 1 ? [those[random.below(those.length)] ?? ''] : those;
    for (const key of chosen) {
      const some = bounded(1, 2) === 1 ? [damages[random.below(damages.length)] as Damage] : damages;
      for (const damage of some) await wound(key, damage);
    }
  }
  for (const damage of damages) if (damage.name === 'missing') await wound(newest, damage);
  expect(await restored(), `as it was, TIDEMARK_SEED=${seed}`).toEqual({ said: expected });
  const lines = [...outcomes].map(([outcome, times]) => `${outcome} (${times})`).sort();
  process.stdout.write(`chain and archive, seed ${seed}\n  ${lines.join('\n  ')}\n`);
}, 7_200_000);
