import { parseWalFileName } from '../../domain/wal/file-name.ts';
import type { CallOptions } from '../../repository/store.ts';
import type { NamedArchive } from './archives.ts';
import type { Verdict } from './describe.ts';
import { leftTimeline } from './fence.ts';
import { fromMost } from './from-most.ts';
import { type ArchiverFacts, stillFailing, type WalPosition } from './observe-server.ts';

export interface RefusalFinder {
  /** Why the archive does not take what the server brings; undefined where it takes it, or nothing tells why not. */
  look(
    archiver: ArchiverFacts,
    position: WalPosition,
    archives: readonly NamedArchive[],
    options: CallOptions,
  ): Promise<Verdict | undefined>;
}

/**
 * The sidecar says why only in its log, since it has no account of its own. But the repository shows it: WAL beyond the
 * place where the timeline was left, or a name that is taken and that the server tries again and again all the same.
 */
export function findRefusals(): RefusalFinder {
  let taken: { readonly name: string; readonly time: Date } | undefined;
  return {
    async look(archiver, position, archives, options) {
      const failing = stillFailing(archiver);
      if (failing === undefined) {
        taken = undefined;
        return undefined;
      }
      const left = await leftTimeline(position, archives, options);
      if (left !== undefined) return left;
      const { name, time } = failing;
      if (parseWalFileName(name) === undefined) return undefined;
      const ask = ({ archive }: NamedArchive, signal: AbortSignal) => archive.has(name, { signal });
      const present = await fromMost(archives, ask, options.signal);
      if (!present.answers.every(({ answer }) => answer)) {
        taken = undefined;
        return undefined;
      }
      // Once is what a sidecar leaves that was killed after it had stored the file; the next attempt finds it equal.
      if (taken?.name === name && taken.time < time) return conflict(name, archives);
      if (taken?.name !== name) taken = { name, time };
      return undefined;
    },
  };
}

function conflict(name: string, archives: readonly NamedArchive[]): Verdict {
  const where = archives.map(({ name: repository, archive }) => `${archive.path} in ${repository}`).join(', ');
  return {
    reason: 'WalConflict',
    message: `The archive (${where}) has other WAL under the name ${name} than the server wants to store, and keeps what it has. Mostly two servers that were one write here: an old primary that came back, or a copy or an older state of the data that was started with the settings of the original. Stop archiving on the one that is not to be protected; if this one counts, give it a policy of its own.`,
  };
}
