import { terminal } from '../../domain/failure.ts';
import type { ArchiveTask } from '../../domain/task.ts';
import { formatLsn } from '../../domain/wal/lsn.ts';
import { leftBefore } from '../../domain/wal/timeline-fence.ts';
import type { Ancestor } from '../../domain/wal/timeline-history.ts';
import type { WalContent } from '../../repository/large-wal.ts';
import type { CallOptions } from '../../repository/store.ts';
import { openWalArchive, type WalArchive } from '../../repository/wal-archive.ts';
import { openRepositories, type Repository } from '../backup/targets.ts';
import type { AgentLog } from '../log.ts';
import { createQuorum } from './quorum.ts';

/** The archives of one policy's servers, each in every repository of the policy. */
export interface Destinations {
  /**
   * Resolves when as many repositories as the policy says have the file (default: all); those in `stored` have it already, and those that get it are added.
   * Rejects with a terminal OldPrimary where the timeline was left before this segment begins.
   */
  store(file: Parcel, stored: Set<string>, options: CallOptions): Promise<void>;
  close(): Promise<void>;
}

export interface Parcel {
  readonly name: string;
  readonly content: WalContent;
  readonly systemIdentifier: string;
  /** Where it is a segment. */
  readonly segmentSize?: number | undefined;
}

/** A new timeline of somebody else is noticed this late, in milliseconds. */
const historiesFor = 15_000;

interface Place {
  /** The repository's. */
  readonly name: string;
  readonly archive: WalArchive;
  histories?: { readonly readAt: number; readonly found: Promise<ReadonlyMap<number, readonly Ancestor[]>> };
}

/** Nothing is opened before it is needed: a Secret that is missing must not keep the server from starting. */
export function openDestinations(
  task: ArchiveTask,
  mountRoot: string | undefined,
  log?: Pick<AgentLog, 'warn' | 'info'>,
): Destinations {
  const { namespace, policy, compression } = task;
  const quorum = createQuorum({ minimum: task.minRepositories, log });
  const places = new Map<string, readonly Place[]>();
  let opened: Promise<readonly Repository[]> | undefined;
  const open = () => {
    opened ??= openRepositories(task.repositories, mountRoot).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  const placesOf = async (systemIdentifier: string): Promise<readonly Place[]> => {
    const repositories = await open();
    const location = { namespace, policy: policy.name, systemIdentifier };
    const known =
      places.get(systemIdentifier) ??
      repositories.map(({ name, store, encryption }) => ({
        name,
        archive: openWalArchive(store, location, { compression, encryption }),
      }));
    places.set(systemIdentifier, known);
    return known;
  };
  return {
    async store({ name, content, systemIdentifier, segmentSize }, stored, options) {
      const put = async (place: Place, call: CallOptions) => {
        if (segmentSize !== undefined) await requireCurrent(place, name, segmentSize, call);
        await place.archive.put(name, content, call);
        if (name.endsWith('.history')) delete place.histories;
      };
      await quorum.store(await placesOf(systemIdentifier), stored, put, options);
    },
    async close() {
      const repositories = await opened?.catch(() => undefined);
      await Promise.allSettled((repositories ?? []).map(({ store }) => store.close()));
    },
  };
}

async function requireCurrent(place: Place, name: string, segmentSize: number, options: CallOptions): Promise<void> {
  const left = leftBefore(name, segmentSize, await historiesOf(place, options));
  if (left === undefined) return;
  throw terminal(
    'OldPrimary',
    `${name} lies behind ${formatLsn(left.at)}, where timeline ${left.child} left this one (${place.archive.path}/history in the repository ${place.name}). Another server was promoted and this one does not know of it. Stop this server, and make it a standby of the new primary (pg_rewind, or a new base backup). If this one is to be kept, stop the other and give this one a policy of its own.`,
  );
}

function historiesOf(place: Place, options: CallOptions): Promise<ReadonlyMap<number, readonly Ancestor[]>> {
  const known = place.histories;
  if (known !== undefined && performance.now() - known.readAt < historiesFor) return known.found;
  const found = place.archive.histories(options);
  place.histories = { readAt: performance.now(), found };
  found.catch(() => {
    delete place.histories;
  });
  return found;
}
