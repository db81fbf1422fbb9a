import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

interface Upstream {
  readonly host: string;
  readonly port: number;
}

/** What stands between an agent and a server: a Service that leads to another one, or a network that loses everything. */
export interface Service {
  readonly host: string;
  readonly port: number;
  /** Where new connections go. Those that stand stay where they are. */
  readonly leadTo: (upstream: Upstream) => void;
  /** From now on nothing goes through in either direction, and nothing is closed; new connections are not answered. */
  readonly swallow: (what?: 'Everything' | 'NewConnections') => void;
  readonly pass: () => void;
  /** Ends the connections that stand. */
  readonly cut: () => void;
  readonly stop: () => Promise<void>;
}

export async function startService(first: Upstream): Promise<Service> {
  let upstream = first;
  let swallowing: 'Nothing' | 'Everything' | 'NewConnections' = 'Nothing';
  const pairs = new Set<readonly [Socket, Socket]>();
  const waiting = new Set<Socket>();
  const join = (client: Socket) => {
    const server = connect(upstream.port, upstream.host);
    const pair = [client, server] as const;
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const [from, to] of [pair, [server, client] as const]) {
      from.on('data', (bytes) => {
        if (!to.write(bytes)) from.pause();
      });
      to.on('drain', () => {
        if (swallowing !== 'Everything') from.resume();
      });
      from.on('error', end);
      from.on('close', end);
    }
    client.resume();
  };
  const listener = createServer({ pauseOnConnect: true }, (client) => {
    client.on('error', () => client.destroy());
    if (swallowing === 'Nothing') join(client);
    else waiting.add(client);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const cut = () => {
    for (const [client, server] of pairs) {
      client.destroy();
      server.destroy();
    }
    for (const client of waiting) client.destroy();
    waiting.clear();
  };
  return {
    host: '127.0.0.1',
    port: address.port,
    leadTo: (next) => {
      upstream = next;
    },
    swallow: (what = 'Everything') => {
      swallowing = what;
      if (what === 'Everything') for (const socket of [...pairs].flat()) socket.pause();
    },
    pass: () => {
      swallowing = 'Nothing';
      for (const socket of [...pairs].flat()) socket.resume();
      for (const client of waiting) join(client);
      waiting.clear();
    },
    cut,
    stop: async () => {
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
}
