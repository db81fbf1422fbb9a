import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { heartbeatPrefix } from '../../../src/domain/wal/heartbeat-message.ts';
import { recover } from '../recover/recovery.ts';
import { createSource, type Source, taskFor } from '../recover/source.ts';
import { planOf } from './plan-of.ts';

let source: Source;
const drill = { drill: true };
const beat = (seconds: number) =>
  source.server.psql(`SELECT pg_logical_emit_message(true, '${heartbeatPrefix}', '${seconds}')`);

beforeAll(async () => {
  source = await createSource();
  await source.server.psql('CREATE TABLE orders (id int)');
  await source.backUp();
  await source.ship();
}, 60_000);
afterAll(() => source?.remove());

async function drillTo(plan: Awaited<ReturnType<typeof planOf>>, name: string) {
  const dataDirectory = join(source.root, name);
  // From the repository alone: nobody says how far the archive is behind.
  const found = await recover(source, taskFor(plan.recovery, {}, dataDirectory, { ephemeral: true }));
  expect(found.failure, found.log + found.agentLog).toBeUndefined();
  return found.status.measured as { readonly rpoSeconds?: number; readonly heartbeatSeconds?: number };
}

it('of an idle server without heartbeats, a drill from the repository alone cannot tell what would be lost', async () => {
  await delay(3000);
  const plan = await planOf(source, {}, drill);
  expect(plan.recovery).not.toHaveProperty('heartbeatSeconds');
  expect(await drillTo(plan, 'silent')).toMatchObject({ rpoSeconds: 0 });
});

it('with heartbeats it says how long ago the last one was that the archive had, whatever comes later', async () => {
  await beat(1);
  const last = Date.now();
  await source.ship();
  expect((await planOf(source, {})).recovery).not.toHaveProperty('heartbeatSeconds');
  await delay(3000);
  const plan = await planOf(source, {}, drill);
  const lost = (Date.now() - last) / 1000;
  expect(plan.recovery.heartbeatSeconds).toBe(1);
  // While the base is laid the source lives on and archives.
  await beat(1);
  await source.ship();
  const measured = await drillTo(plan, 'beating');
  expect(measured.heartbeatSeconds).toBe(1);
  expect(measured.rpoSeconds).toBeGreaterThanOrEqual(2);
  expect(Math.abs((measured.rpoSeconds ?? 0) - lost)).toBeLessThanOrEqual(2);
  process.stdout.write(`lost ${lost.toFixed(1)} s, measured ${measured.rpoSeconds} s\n`);
});
