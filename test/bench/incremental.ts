import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { serverAccount } from '../support/postgres/account.ts';
import { startPostgres, type TestServer } from '../support/postgres/server.ts';
import { load, type Size } from './dump.ts';
import type { Figure } from './figure.ts';
import { createMeasure, describe, type Measured } from './measure.ts';
import { prepareTidemark } from './tidemark.ts';
import { accountProcessorTime } from './usage.ts';

/**
 * A full backup against an increment after one row in a hundred was changed, in one place and all over; and the laying of a
 * full backup against that of a chain of three. PostgreSQL 18, the repository in a folder of the same disk.
 */
export async function benchIncremental(size: Size, log: (line: string) => void): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const processor = await accountProcessorTime();
  const server = await startPostgres({
    major: 18,
    settings: { shared_buffers: '512MB', max_wal_senders: '4', full_page_writes: 'on', summarize_wal: 'on' },
  });
  const measure = createMeasure(processor.seconds, log);
  try {
    await execa('chmod', ['755', folder]);
    await load(server, size);
    await server.psql('CHECKPOINT');
    const tidemark = await prepareTidemark(server, join(folder, 'tidemark'));
    const restored = join(folder, 'restored');
    const { uid, gid } = await serverAccount();
    await execa('install', ['-d', '-o', String(uid), '-g', String(gid), restored]);
    const backUp = async (what: string, type: 'Full' | 'Incremental') => {
      const measured = await measure.once(what, () => tidemark.backUp('Client', type));
      return { measured, stored: tidemark.storedBytes() };
    };
    const restore = (what: string, name: string) =>
      measure.once(what, (done) => tidemark.restore(join(restored, name), done));

    await backUp('full, for the page cache', 'Full');
    const full = await backUp('full', 'Full');
    const fullLaid = await restore('full backup laid', 'full');
    await change(server, 'aid <= (SELECT max(aid) / 100 FROM pgbench_accounts)');
    const together = await backUp('increment, 1 % of the rows, side by side', 'Incremental');
    await change(server, 'aid % 100 = 7');
    const scattered = await backUp('increment, 1 % of the rows, all over', 'Incremental');
    const chainLaid = await restore('chain of three laid and combined', 'chain');
    return [
      line('full backup', full.measured, full.stored),
      line('increment after 1 % of the rows, side by side', together.measured, together.stored),
      line('increment after 1 % of the rows, all over', scattered.measured, scattered.stored),
      { what: 'stored, increment to full, side by side', value: ratio(together.stored, full.stored) },
      { what: 'stored, increment to full, all over', value: ratio(scattered.stored, full.stored) },
      { what: 'time, increment to full, side by side', value: ratio(together.measured.seconds, full.measured.seconds) },
      { what: 'full backup laid', value: describe(fullLaid) },
      { what: 'chain of three laid and combined', value: describe(chainLaid) },
      { what: 'time, chain of three to full', value: ratio(chainLaid.seconds, fullLaid.seconds) },
    ];
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A row of pgbench is 97 bytes: changed all over, one in a hundred is in more than every second block. */
async function change(server: TestServer, which: string): Promise<void> {
  await server.psql(`UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE ${which}`);
  await server.psql('CHECKPOINT');
}

function line(what: string, measured: Measured, stored: number): Figure {
  return { what, value: `${describe(measured)}, ${(stored / 1e6).toFixed(1)} MB stored` };
}

function ratio(one: number, other: number): string {
  return (one / other).toFixed(2);
}
