import { Failure } from '../../domain/failure.ts';
import { historyName } from '../../domain/wal/file-name.ts';
import { copyWalFile } from '../../repository/copy-wal.ts';
import type { AgentLog } from '../log.ts';
import { unforeseen } from '../report-of.ts';
import type { Lacking, Looked } from './lacking.ts';

export interface ArchiveCatchUp {
  /** Begins to copy what archives lack from those that have it, unless that goes on already. */
  begin(lacking: readonly Lacking[], archives: readonly Looked[]): void;
  /** What keeps an archive from catching up. */
  trouble(name: string): Failure | undefined;
  close(): Promise<void>;
}

interface CatchUpOptions {
  readonly log: Pick<AgentLog, 'info' | 'warn'>;
  /** Told when an archive got something: what was a gap may be none any more. */
  readonly onCopied: (name: string) => void;
}

/** In the background, so that no look waits for it. */
export function createCatchUp({ log, onCopied }: CatchUpOptions): ArchiveCatchUp {
  const ending = new AbortController();
  const troubles = new Map<string, Failure>();
  let running: Promise<void> | undefined;
  const bring = async ({ name, segments }: Lacking, archives: readonly Looked[]) => {
    const to = archives.find((each) => each.name === name);
    if (to === undefined) return;
    let copied = 0;
    try {
      for (const file of [...historiesOf(archives), ...segments]) {
        if (await bringOne(file, to, archives, ending.signal)) copied += 1;
      }
      troubles.delete(name);
    } catch (error) {
      if (ending.signal.aborted) return;
      const failure = error instanceof Failure ? error : unforeseen(error);
      troubles.set(name, failure);
      log.warn({ repository: name, reason: failure.reason }, failure.message);
    } finally {
      if (copied > 0) {
        log.info({ repository: name, files: copied }, 'copied WAL that this repository lacked');
        onCopied(name);
      }
    }
  };
  return {
    begin(lacking, archives) {
      if (running !== undefined || lacking.length === 0 || ending.signal.aborted) return;
      running = Promise.all(lacking.map((each) => bring(each, archives)))
        .then(() => undefined)
        .finally(() => {
          running = undefined;
        });
    },
    trouble: (name) => troubles.get(name),
    async close() {
      ending.abort();
      await running;
    },
  };
}

function historiesOf(archives: readonly Looked[]): readonly string[] {
  const timelines = archives.flatMap(({ state: { history } }) => [
    history.timeline,
    ...history.ancestors.map(({ timeline }) => timeline),
  ]);
  return [...new Set(timelines)].filter((timeline) => timeline > 1).map(historyName);
}

/** Whether it was lacking; one that no other archive has any more stays so. */
async function bringOne(file: string, to: Looked, archives: readonly Looked[], signal: AbortSignal): Promise<boolean> {
  let failure: unknown;
  for (const from of archives) {
    if (from === to) continue;
    try {
      const done = await copyWalFile(file, from.archive, to.archive, { signal });
      if (done !== 'Absent') return done === 'Copied';
    } catch (error) {
      signal.throwIfAborted();
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return false;
}
