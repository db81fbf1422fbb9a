import { childThatWrote } from '../../postgres/backup/processes.ts';

/** When pg_dump of this process is in the middle of the rows. */
export function dumping(format: 'Custom' | 'Directory' = 'Custom'): Promise<number> {
  const signal = AbortSignal.timeout(60_000);
  if (format === 'Custom') return childThatWrote(process.pid, 'pg_dump', 1_000_000, signal);
  return childThatWrote(process.pid, 'pg_dump', 0, signal).then((leader) =>
    childThatWrote(leader, 'pg_dump', 1_000_000, signal),
  );
}

/** A log of an agent that does something when a base backup has begun to come. */
export function whenCopying(act: () => unknown) {
  const quiet = () => undefined;
  return {
    info: (_: unknown, message?: string) => {
      if (message === 'the base backup begins') void act();
    },
    warn: quiet,
    error: quiet,
  };
}

/** Whether this process has a child that runs one of PostgreSQL's programs. */
export async function toolsRunning(): Promise<boolean> {
  const look = AbortSignal.timeout(50);
  const found = await Promise.any(
    ['pg_dump', 'pg_restore', 'psql'].map((program) => childThatWrote(process.pid, program, 0, look)),
  ).catch(() => undefined);
  return found !== undefined;
}
