import type { RepositoryTask } from '../domain/task.ts';
import { type Identity, identityOf } from '../repository/identity.ts';
import { mirroredStore } from '../repository/mirrored-store.ts';
import { openStore } from '../repository/open.ts';
import type { Store } from '../repository/store.ts';
import { unopenedStore } from '../repository/unopened-store.ts';
import type { AgentLog } from './log.ts';

export interface Opened {
  readonly store: Store;
  /** Of the first that names one: those that are read together are encrypted for the same, or not at all. */
  readonly identity: Identity;
  /** What was read elsewhere than in the first repository, for the last word; empty where nothing was. */
  readonly fallbacks: () => string;
}

/** Named in the last word; all of them are in the log. */
const shown = 3;

/** The repositories of a restore or recovery as one; the first is read first. */
export async function openMirrored(
  repositories: readonly RepositoryTask[],
  mountRoot: string,
  log: Pick<AgentLog, 'warn'>,
): Promise<Opened> {
  const mirrors: { readonly name: string; readonly store: Store }[] = [];
  for (const [index, repository] of repositories.entries()) {
    const { name } = repository;
    const open = () => openStore(repository, index, { mountRoot });
    // The only one is told at once.
    const store = repositories.length === 1 ? await open() : await open().catch(() => unopenedStore(name, open));
    mirrors.push({ name, store });
  }
  const told = new Map<string, string>();
  const store = mirroredStore(mirrors, (key, from, why) => {
    if (told.has(key)) return;
    told.set(key, `${key} came from ${from}, because ${why}`);
    log.warn({ key, from }, why);
  });
  const index = Math.max(
    0,
    repositories.findIndex(({ spec: { encryption } }) => {
      return (encryption?.age ?? encryption?.gpg)?.identitySecretRef !== undefined;
    }),
  );
  const chosen = repositories[index];
  if (chosen === undefined) throw new Error('a restore from nowhere');
  return {
    store,
    identity: identityOf(chosen, index, { mountRoot }),
    fallbacks() {
      if (told.size === 0) return '';
      const list = [...told.values()].slice(0, shown).join(' ');
      return ` Not all was as it should be in the first repository: ${list}${told.size > shown ? ` And ${told.size - shown} more, which the log names.` : ''} Look at that repository, and copy what it lacks (docs/copy-backups.md).`;
    },
  };
}
