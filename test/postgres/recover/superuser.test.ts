import { afterAll, beforeAll, expect, it } from 'vitest';
import { superuserNames } from '../../../src/agent/recover/run/superuser.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

it('the bootstrap superuser’s name is read from the data directory, whatever it was renamed to', async () => {
  expect(await superuserNames(server.dataFolder, undefined)).toEqual(['postgres']);
  await server.psql('CREATE ROLE two SUPERUSER LOGIN; VACUUM FULL pg_authid');
  await server.psql('SET SESSION AUTHORIZATION two; ALTER ROLE postgres RENAME TO chief; CHECKPOINT');
  expect(await superuserNames(server.dataFolder, undefined)).toEqual(['chief', 'postgres']);
  expect((await superuserNames(server.dataFolder, 'told'))[0]).toBe('told');
});
