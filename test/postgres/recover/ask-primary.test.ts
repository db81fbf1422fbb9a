import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireNextWal, requirePrimary } from '../../../src/agent/recover/run/ask-primary.ts';
import type { RecoveryPlan } from '../../../src/api/pitr-recovery.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { systemIdentifierOf, writeSegments } from '../watch-wal/world.ts';

/** What a server is asked before another one is made its standby. */
const signal = AbortSignal.timeout(300_000);
let server: TestServer;
let systemIdentifier: string;
let early: string;

beforeAll(async () => {
  server = await startPostgres({ settings: { wal_keep_size: '0', min_wal_size: '32MB', autovacuum: 'off' } });
  systemIdentifier = await systemIdentifierOf(server);
  early = await server.psql('SELECT pg_current_wal_lsn()');
  await writeSegments(server, 3);
  await server.psql('CHECKPOINT');
});

afterAll(() => server?.stop());

const credentials = () => ({ username: server.superuser, password: server.password });
const standby = (port = server.port) => ({
  namespace: 'shop',
  plan: { systemIdentifier, backupID: 'the-backup', segmentSize: 16 * 1024 ** 2 } as RecoveryPlan,
  standbyOf: { host: server.host, port, credentialsSecretName: 'replicator' },
});
const nextWal = (lsn: string, timeline = 1) => requireNextWal(standby(), credentials(), { lsn, timeline }, signal);

test('a server that has the WAL which comes next may be followed', async () => {
  await requirePrimary(standby(), credentials(), signal);
  await nextWal(await server.psql('SELECT pg_current_wal_lsn()'));
});

test('one that has removed it is told, with what to do: a standby would wait for it for ever', async () => {
  await expect(nextWal(early)).rejects.toMatchObject({
    reason: 'StandbyCannotFollow',
    retryable: false,
    message: expect.stringMatching(
      /127\.0\.0\.1:\d+ of target\.instance\.standbyOf does not send the WAL from 0\/1000000 on timeline 1.*has already been removed.*wal_keep_size/,
    ),
  });
});

test('one that knows nothing of the timeline cannot be followed either', async () => {
  const current = await server.psql('SELECT pg_current_wal_lsn()');
  await expect(nextWal(current, 2)).rejects.toMatchObject({ reason: 'StandbyCannotFollow' });
});

test('another server than the one that the backup is of is refused before anything is touched', async () => {
  const task = standby();
  const other = { ...task, plan: { ...task.plan, systemIdentifier: '42' } };
  await expect(requirePrimary(other, credentials(), signal)).rejects.toMatchObject({
    reason: 'WrongPrimary',
    retryable: false,
    message: expect.stringContaining(`system identifier ${systemIdentifier}`),
  });
});
