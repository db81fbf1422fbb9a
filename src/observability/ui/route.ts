/** What a request asks for. Names are as they were written, and may be anybody's. */
export type Route =
  | {
      readonly page: 'Overview';
      readonly namespace: string | undefined;
      readonly number: number;
      readonly refresh: boolean;
    }
  | {
      readonly page: 'Policy';
      readonly namespace: string;
      readonly name: string;
      readonly number: number;
      readonly refresh: boolean;
    }
  | { readonly page: 'Home' }
  | { readonly page: 'Icon' }
  | { readonly page: 'Nothing' };

/** Longer than two names and a query of ours can be. */
const longestAddress = 2048;

export function routeOf(address: string): Route {
  const url = address.length > longestAddress || !address.startsWith('/') ? undefined : parse(address);
  if (url === undefined) return { page: 'Nothing' };
  const [first, second, namespace, name, ...more] = url.path;
  const number = pageNumber(url.query.get('page'));
  const refresh = url.query.get('refresh') === 'on';
  if (first === '' && second === undefined) return { page: 'Home' };
  if (first === 'favicon.ico' && second === undefined) return { page: 'Icon' };
  if (first !== 'ui' || more.length > 0) return { page: 'Nothing' };
  if (second === undefined || (second === '' && namespace === undefined))
    return { page: 'Overview', namespace: url.query.get('namespace') || undefined, number, refresh };
  if (second !== 'policies' || !namespace || !name) return { page: 'Nothing' };
  return { page: 'Policy', namespace, name, number, refresh };
}

interface Parsed {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

/** By hand: URL would make `..` and `//host` into something else before it is looked at. */
function parse(address: string): Parsed | undefined {
  const [path = '', query = ''] = address.split('?', 2);
  try {
    return { path: path.slice(1).split('/').map(decodeURIComponent), query: new URLSearchParams(query) };
  } catch {
    return undefined;
  }
}

function pageNumber(text: string | null): number {
  return /^[1-9][0-9]{0,5}$/.test(text ?? '') ? Number(text) : 1;
}
