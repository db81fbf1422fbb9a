import { usage } from './exit-code.ts';

const kinds: Readonly<Record<string, 'StatefulSet' | 'Deployment' | 'Pod'>> = {
  ...{ statefulset: 'StatefulSet', statefulsets: 'StatefulSet', sts: 'StatefulSet' },
  ...{ deployment: 'Deployment', deployments: 'Deployment', deploy: 'Deployment' },
  ...{ pod: 'Pod', pods: 'Pod', po: 'Pod' },
};

export interface Workload {
  readonly kind: 'StatefulSet' | 'Deployment' | 'Pod';
  readonly name: string;
}

/** `statefulset/orders-db`, as kubectl takes it. */
export function parseWorkload(text: string): Workload {
  const [, prefix = '', name = ''] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
  const key = prefix.toLowerCase();
  const kind = Object.hasOwn(kinds, key) ? kinds[key] : undefined;
  if (kind === undefined) throw usage(`${JSON.stringify(text)} is no workload: write it as statefulset/orders-db.`);
  return { kind, name };
}

/** A server: a workload, or `host` or `host:port`. */
export function parseServer(
  text: string,
): { readonly workloadRef: Workload } | { readonly host: string; readonly port?: number } {
  if (text.includes('/')) return { workloadRef: parseWorkload(text) };
  const [, bracketed, plain, port] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*))(?::([0-9]{1,5}))?$/.exec(text) ??
    [];
  const host = bracketed ?? plain;
  if (host === undefined || (port !== undefined && Number(port) > 65_535))
    throw usage(
      `${JSON.stringify(text)} is no server: write statefulset/orders-db, db.example.com or db.example.com:5433.`,
    );
  return { host, ...(port === undefined ? {} : { port: Number(port) }) };
}

/** `orders` or `orders=orders_restored`: which database, and under which name. */
export function parseDatabase(text: string): { readonly name: string; readonly targetName?: string } {
  const at = text.indexOf('=');
  if (at === -1) return { name: text };
  const [name, targetName] = [text.slice(0, at), text.slice(at + 1)];
  if (name === '' || targetName === '')
    throw usage(`${JSON.stringify(text)} names no two databases: write orders=orders_restored.`);
  return { name, targetName };
}

/** `orders|select count(*) from orders|120000`: database, query, what psql -At has to print. */
export function parseAssertion(text: string): {
  readonly database: string;
  readonly query: string;
  readonly expect: string;
} {
  const [first, last] = [text.indexOf('|'), text.lastIndexOf('|')];
  if (first <= 0 || last === first)
    throw usage(
      `${JSON.stringify(text)} is no assertion: write DATABASE|QUERY|EXPECTED, such as 'orders|select count(*) from orders|120000'.`,
    );
  return { database: text.slice(0, first), query: text.slice(first + 1, last), expect: text.slice(last + 1) };
}
