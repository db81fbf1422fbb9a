import type { Store } from './store.ts';

/**
 * In the place of a store that could not be opened, for a Secret that is missing or the like: every call tries to open it
 * again, and rejects with what keeps it from that.
 */
export function unopenedStore(name: string, open: () => Promise<Store>): Store {
  let opening: Promise<Store> | undefined;
  const opened = () => {
    opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    description: `the repository ${name}`,
    put: async (...call) => (await opened()).put(...call),
    upload: async (...call) => (await opened()).upload(...call),
    download: async (...call) => (await opened()).download(...call),
    get: async (...call) => (await opened()).get(...call),
    head: async (...call) => (await opened()).head(...call),
    async *list(...call) {
      yield* (await opened()).list(...call);
    },
    async *listFolders(...call) {
      yield* (await opened()).listFolders(...call);
    },
    delete: async (...call) => (await opened()).delete(...call),
    sweepUnfinished: async (...call) => (await opened()).sweepUnfinished(...call),
    close: async () => (await opening?.catch(() => undefined))?.close(),
  };
}
