import { type Failure, transient } from '../domain/failure.ts';
import type { Listed } from './store.ts';

/** Of a store's answer: `name` is whole, with the repository's prefix before the key. */
interface Told {
  readonly name: string;
  readonly size: number | undefined;
  readonly lastModified: Date | undefined;
}

/** What a listing tells of an object, where that can be: what is deleted or taken for whole is chosen by it. */
export function listed({ name, size, lastModified }: Told, whole: string, prefix: string): Listed {
  if (!name.startsWith(whole)) throw strange(`names ${JSON.stringify(name.slice(0, 100))}, which was not asked for`);
  if (size === undefined || !Number.isSafeInteger(size) || size < 0)
    throw strange(`gives no size of ${JSON.stringify(name.slice(0, 100))}`);
  if (lastModified === undefined || Number.isNaN(lastModified.getTime()))
    throw strange(`gives no time of ${JSON.stringify(name.slice(0, 100))}`);
  return { key: name.slice(whole.length - prefix.length), size, lastModified };
}

/** The name of a folder, of which the store gives the whole prefix. */
export function listedFolder(name: string, whole: string): string {
  if (name.startsWith(whole) && name.endsWith('/') && name.length > whole.length) return name.slice(whole.length, -1);
  throw strange(`names the folder ${JSON.stringify(name.slice(0, 100))}, which was not asked for`);
}

/** The next page's token: one that was there before would lead round in a circle. */
export function nextToken(next: string | undefined, before: string | undefined): string | undefined {
  if (next === undefined || next === '') return undefined;
  if (next === before) throw strange('does not go on from one page to the next');
  return next;
}

function strange(what: string): Failure {
  return transient(
    'StoreError',
    `The store's listing ${what}. Nothing was concluded from it. If it stays so, look at what answers at the repository's endpoint.`,
  );
}
