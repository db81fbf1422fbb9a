import type { PostgresWorkload } from './postgres-workload.ts';
import { until } from './until.ts';

/** Holds a lock that pg_dump must wait for, so that a backup is surely running for as long as the test wants. */
export async function lockTable(
  postgres: PostgresWorkload,
  database: string,
  table: string,
): Promise<{ readonly release: () => Promise<void> }> {
  const name = `lock of ${table}`;
  const sql = `set application_name = '${name}'; begin; lock table ${table} in access exclusive mode; select pg_sleep(600)`;
  const session = postgres.psql(sql, database).catch(() => '');
  await until('the lock to be held', async () => (await postgres.psql(holders(name))) !== '0');
  return {
    release: async () => {
      await postgres.psql(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = '${name}'`);
      await session;
    },
  };
}

function holders(name: string): string {
  return `select count(*) from pg_locks join pg_stat_activity using (pid)
    where mode = 'AccessExclusiveLock' and granted and relation is not null and application_name = '${name}'`;
}
