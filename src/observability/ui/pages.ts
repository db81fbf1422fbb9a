/** A share of a long list. */
export interface Paged<Item> {
  readonly items: readonly Item[];
  /** From 1. */
  readonly page: number;
  readonly pages: number;
  readonly total: number;
  /** The place of the first item in the whole list, from 1; 0 where there is none. */
  readonly first: number;
}

/** A page that is not there is the nearest that is. */
export function pageOf<Item>(all: readonly Item[], asked: number, size: number): Paged<Item> {
  const pages = Math.max(1, Math.ceil(all.length / size));
  const page = Math.min(pages, Math.max(1, Math.trunc(asked)));
  const begin = (page - 1) * size;
  return {
    items: all.slice(begin, begin + size),
    ...{ page, pages, total: all.length },
    first: all.length === 0 ? 0 : begin + 1,
  };
}
