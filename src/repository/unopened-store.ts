import type { Listed, Store } from './store.ts';

/** In the place of a store that cannot be opened: every call rejects with what kept it from that. */
export function unopenedStore(name: string, error: unknown): Store {
  const reject = () => Promise.reject(error);
  async function* none(): AsyncGenerator<never, void, void> {
    yield await reject();
  }
  return {
    description: `the repository ${name}`,
    put: reject,
    upload: reject,
    download: reject,
    get: reject,
    head: reject,
    list: (): AsyncIterable<Listed> => none(),
    listFolders: (): AsyncIterable<string> => none(),
    delete: reject,
    sweepUnfinished: reject,
    close: async () => undefined,
  };
}
