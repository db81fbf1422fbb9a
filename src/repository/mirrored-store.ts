import { Failure } from '../domain/failure.ts';
import type { CallOptions, Listed, Store } from './store.ts';

export interface Mirror {
  readonly name: string;
  readonly store: Store;
}

/** Told when something came from another repository than the first, and why. */
export type OnFallback = (key: string, from: string, why: string) => void;

/** Milliseconds for which one that could not be reached is asked last. */
const avoidFor = 60_000;

/**
 * Several repositories read as one: each thing from the first that has it, can be reached, and has it whole. That
 * something does not exist is said only where every one of them says so. Nothing is ever written.
 */
export function mirroredStore(mirrors: readonly Mirror[], onFallback: OnFallback): Store {
  const [first] = mirrors;
  if (first === undefined) throw new Error('repositories without one');
  if (mirrors.length === 1) return first.store;
  const damaged = new Map<string, Set<string>>();
  const avoided = new Map<string, number>();
  const whys = new Map<string, string>();
  const candidates = (key: string) => {
    const left = mirrors.filter(({ name }) => damaged.get(key)?.has(name) !== true);
    const isAvoided = ({ name }: Mirror) => (avoided.get(name) ?? 0) > performance.now();
    return [...left.filter((each) => !isAvoided(each)), ...left.filter(isAvoided)];
  };
  const failed = (mirror: Mirror, key: string, error: unknown, { signal }: CallOptions): Failure => {
    signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    if (error.reason !== 'NoSuchObject') avoided.set(mirror.name, performance.now() + avoidFor);
    whys.set(key, `${mirror.name}: ${error.message}`);
    return error;
  };
  /** `found` is asked whether an answer is one. */
  const read = async <Answer>(
    key: string,
    options: CallOptions,
    ask: (store: Store) => Promise<Answer>,
    found: (answer: Answer) => boolean = () => true,
  ): Promise<Answer> => {
    const failures: Failure[] = [];
    let nothing: { readonly answer: Answer } | undefined;
    for (const mirror of candidates(key)) {
      try {
        const answer = await ask(mirror.store);
        if (!found(answer)) {
          nothing = { answer };
          continue;
        }
        if (mirror !== first && whys.has(key)) onFallback(key, mirror.name, whys.get(key) ?? '');
        return answer;
      } catch (error) {
        failures.push(failed(mirror, key, error, options));
      }
    }
    const unknown = failures.find(({ reason }) => reason !== 'NoSuchObject');
    const absent = nothing !== undefined || failures.some(({ reason }) => reason === 'NoSuchObject');
    if (unknown !== undefined) throw absent ? unproven(key, unknown) : unknown;
    if (nothing !== undefined) return nothing.answer;
    throw failures[0] ?? new Error(`${key} is asked of nobody`);
  };
  const refuse = () => Promise.reject(new Error('what is read from several repositories is written to none'));
  return {
    description: mirrors.map(({ store }) => store.description).join(' or '),
    put: refuse,
    upload: refuse,
    delete: refuse,
    sweepUnfinished: refuse,
    download: (key, options) => read(key, options, (store) => store.download(key, options)),
    get: (key, options) => read(key, options, (store) => store.get(key, options)),
    head: (key, options) =>
      read(
        key,
        options,
        (store) => store.head(key, options),
        (size) => size !== undefined,
      ),
    list: (prefix, options) => mergeLists(mirrors, prefix, onFallback, options),
    async *listFolders(prefix, options) {
      const found = await gather(mirrors, (store) => store.listFolders(prefix, options), onFallback, prefix, options);
      yield* [...new Set(found)].sort();
    },
    passOver(key, why) {
      const known = damaged.get(key) ?? new Set();
      const [from] = candidates(key);
      if (from === undefined || candidates(key).length < 2) return false;
      known.add(from.name);
      damaged.set(key, known);
      whys.set(key, `${from.name}: ${why.message}`);
      return true;
    },
    async close() {
      await Promise.allSettled(mirrors.map(({ store }) => store.close()));
    },
  };
}

/** One that cannot be asked may be the only one that has it. */
function unproven(key: string, { reason, message, retryable, cause }: Failure): Failure {
  return new Failure(
    reason,
    `${message} The other repositories do not have ${key}, but that one might: let it answer again; or leave it out on purpose, by naming another one in source.repository.`,
    { retryable, cause },
  );
}

interface Listing {
  readonly name: string;
  readonly items: AsyncIterator<Listed>;
  head: Listed | undefined;
}

/** Side by side, since each is in the order of keys: a million of them take no memory. One at least must answer. */
async function* mergeLists(
  mirrors: readonly Mirror[],
  prefix: string,
  onFallback: OnFallback,
  options: CallOptions,
): AsyncGenerator<Listed, void, void> {
  const failures: Failure[] = [];
  const advance = async (listing: Listing) => {
    try {
      const next = await listing.items.next();
      listing.head = next.done === true ? undefined : next.value;
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof Failure)) throw error;
      failures.push(error);
      listing.head = undefined;
      if (failures.length === mirrors.length) throw failures[0];
      onFallback(prefix, 'the others', `${listing.name}: ${error.message}`);
    }
  };
  const listings = mirrors.map(
    ({ name, store }): Listing => ({
      name,
      items: store.list(prefix, options)[Symbol.asyncIterator](),
      head: undefined,
    }),
  );
  try {
    await Promise.all(listings.map(advance));
    for (;;) {
      const least = listings.reduce<Listed | undefined>(
        (found, { head }) => (head !== undefined && (found === undefined || head.key < found.key) ? head : found),
        undefined,
      );
      if (least === undefined) return;
      await Promise.all(listings.filter(({ head }) => head?.key === least.key).map(advance));
      yield least;
    }
  } finally {
    await Promise.allSettled(listings.map(({ items }) => items.return?.()));
  }
}

/** What all of them list that can be reached; one at least must be. */
async function gather<Item>(
  mirrors: readonly Mirror[],
  list: (store: Store) => AsyncIterable<Item>,
  onFallback: OnFallback,
  prefix: string,
  { signal }: CallOptions,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  const failures: { readonly name: string; readonly error: Failure }[] = [];
  for (const { name, store } of mirrors) {
    try {
      items.push(...(await Array.fromAsync(list(store))));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Failure)) throw error;
      failures.push({ name, error });
    }
  }
  const [one] = failures;
  if (one !== undefined && failures.length === mirrors.length) throw one.error;
  for (const { name, error } of failures) onFallback(prefix, 'the others', `${name}: ${error.message}`);
  return items;
}

const damage: ReadonlySet<string> = new Set(['ChecksumMismatch', 'CorruptedBackup']);

/** Reads again where what was read was damaged and another repository has the same. */
export async function orFromAnother<Read>(store: Store, key: string, read: () => Promise<Read>): Promise<Read> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof Failure) || !damage.has(error.reason) || store.passOver?.(key, error) !== true)
        throw error;
    }
  }
}
