import { Failure } from '../../domain/failure.ts';
import type { WalLocation } from '../../domain/layout.ts';
import { copyWalFile, lackingIn } from '../../repository/copy-wal.ts';
import { openWalArchive, type WalArchive } from '../../repository/wal-archive.ts';
import type { Repository } from '../backup/targets.ts';
import { inParallel } from '../in-parallel.ts';
import type { AgentLog } from '../log.ts';
import type { Source } from './sources.ts';

/** Each is in memory whole. */
const atOnce = 4;
const batch = 256;

/**
 * Copies all the WAL of a server that the other archives have and this one lacks: histories first, then in order. Gives
 * the number of files.
 */
export async function copyArchive(
  location: WalLocation,
  sources: readonly Source[],
  to: Repository,
  { log, signal }: { readonly log: AgentLog; readonly signal: AbortSignal },
): Promise<number> {
  const target = openWalArchive(to.store, location, { encryption: to.encryption });
  let copied = 0;
  for (const { store, identity } of sources) {
    const archive = openWalArchive(store, location, { identity });
    let lacking: string[] = [];
    const flush = async () => {
      copied += (await copyAll(lacking, archive, target, log, signal)).length;
      lacking = [];
    };
    for await (const name of lackingIn(target, archive, { signal })) {
      lacking.push(name);
      if (lacking.length >= batch) await flush();
    }
    await flush();
  }
  return copied;
}

/** One that is damaged here may be whole in the next. */
async function copyAll(
  names: readonly string[],
  from: WalArchive,
  to: WalArchive,
  log: AgentLog,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const done = await inParallel(names, atOnce, async (name) => {
    try {
      return (await copyWalFile(name, from, to, { signal })) === 'Absent' ? [] : [name];
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Failure) || error.reason !== 'ChecksumMismatch') throw error;
      log.warn({ file: name }, error.message);
      return [];
    }
  });
  return done.flat();
}
