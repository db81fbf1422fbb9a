import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { recover } from '../../postgres/recover/recovery.ts';
import { createSource, planFor, type Source, taskFor } from '../../postgres/recover/source.ts';
import { planOf } from '../../postgres/recover-plan/plan-of.ts';
import { createWorld, startWatch, watchTask, writeSegments } from '../../postgres/watch-wal/world.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { lastWhole } from './archive-of.ts';
import { type Breakable, breakable } from './breakable.ts';

const day = 86_400_000;
let source: Source;
let server: Breakable;
let backup: PhysicalManifest;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  const library = join(await runFolder(), 'clock.so');
  const text = fileURLToPath(new URL('clock.c', import.meta.url));
  await execa('tcc', ['-shared', '-nostdlib', `-DAHEAD=${day / 1000}`, '-o', library, text]);
  await chmod(library, 0o755);
  environment = { LD_PRELOAD: library };
  source = await createSource({ max_wal_senders: '8', wal_keep_size: '1GB' });
  server = breakable(source.server);
  await server.psql("CREATE TABLE said (word text); INSERT INTO said VALUES ('before')");
  backup = await source.backUp();
  await source.ship();
}, 60_000);

afterAll(async () => {
  await server?.shutDown();
  await source?.remove();
});

test('a clock that is a day ahead: its times are told as the server gives them, and archiving goes on when it is set right', async () => {
  const world = await createWorld(server);
  await server.shutDown();
  await server.start({ environment });
  const watch = startWatch(world, watchTask(server));
  await watch.until(({ report }) => report?.reason === 'Streaming');
  await server.psql("INSERT INTO said VALUES ('ahead')");
  await writeSegments(server, 1);
  const ahead = await watch.until(({ lastCommitTime }) => lastCommitTime !== undefined);
  expect(Date.parse(ahead.lastCommitTime ?? '')).toBeGreaterThan(Date.now() + day / 2);
  expect(ahead.report?.healthy).toBe(true);
  await source.ship();
  await server.shutDown();
  await server.start();
  await watch.until(({ report }) => report?.reason === 'Streaming');
  await server.psql("INSERT INTO said VALUES ('after')");
  // The first of them holds times of both clocks.
  await writeSegments(server, 2);
  const last = await lastWhole(server);
  const right = await watch.until(({ lastArchivedSegment }) => (lastArchivedSegment ?? '') >= last);
  expect(right.gaps).toEqual([]);
  expect(Date.parse(right.lastCommitTime ?? '')).toBeLessThan(Date.now() + 60_000);
  await watch.stop();
  await world.remove();
});

test('a moment after it was set right: replay stops at the first commit that is later, and what that leaves out is told', async () => {
  await source.ship();
  const moment = new Date().toISOString();
  await server.psql("INSERT INTO said VALUES ('last')");
  const last = await source.ship();
  const { steps, recovery } = await planOf(source, { targetTime: moment });
  expect(steps.join(' ')).toMatch(/clock had been ahead, and was set back: .* ask for a targetLSN or a targetXID/);
  const words = (expected: string) => ({
    assertions: [
      { database: 'postgres', query: "SELECT string_agg(word, ' ' ORDER BY word) FROM said", expect: expected },
    ],
  });
  const task = taskFor(recovery, { targetTime: moment }, join(source.root, 'moment'), words('before'));
  const found = await recover(source, task);
  expect(found.failure, found.log).toBeUndefined();
  // PostgreSQL's own rule; the time of the last commit that was reached is not that of the target.
  const { reached } = found.status as { readonly reached: { readonly time: string } };
  expect(Date.parse(reached.time)).toBeLessThan(Date.parse(moment));
  expect(found.outcome?.message).toContain(`last commit ${reached.time}`);
  expect(found.outcome?.message).toMatch(
    /Replay stopped at \S+, before transaction \d+, which ended at .*: the clock had been ahead there.* ask for a targetLSN/,
  );
  const whole = taskFor(planFor(backup, last), {}, join(source.root, 'whole'), words('after ahead before last'));
  expect((await recover(source, whole)).failure).toBeUndefined();
});
