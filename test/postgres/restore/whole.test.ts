import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { createWorld, type World } from './world.ts';

let server: TestServer;
let world: World;
beforeAll(async () => {
  server = await startPostgres();
  world = await createWorld(server);
  await server.psql('create database shop');
  await server.psql(await readFile('test/support/data/shop.sql', 'utf8'), 'shop');
});
afterAll(async () => {
  await world.remove();
  await server.stop();
});

test('x', async () => {
  const id = await world.backUp({ logical: { databases: { include: ['shop'] } } });
  const restored = await world.restore(id, { databases: [{ name: 'shop', targetName: 'copy' }] });
  console.log(JSON.stringify(restored.outcome), restored.error, JSON.stringify(restored.status, undefined, 1));
  console.log(restored.progress.length, restored.progress.slice(-3));
  expect(restored.error).toBeUndefined();
});
