import { Agent } from 'undici';

/** What proves the two sides to each other; PEM. */
export interface Tls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

interface Pools {
  /** Few connections, kept open: calls wait for one another rather than open hundreds. */
  readonly calls: Agent;
  /** One connection a watch, as many as there are: a watch holds its own for minutes and must keep no call waiting. */
  readonly watches: Agent;
}

/** Below the API server's own idle time-out (90 s): it never closes a connection just as a call is sent on it. */
const keepAlive = 60_000;
const connectTimeout = 10_000;

/** The open connections to one API server, for the certificates of the day. */
export class Connections {
  #key: string | undefined;
  #pools: Pools | undefined;
  #closed = false;

  /** Where the certificates have changed, new connections; the old ones serve what runs on them, then close. */
  of(tls: Tls): Pools {
    if (this.#closed) throw new Error('This client of the API server was closed');
    const key = JSON.stringify(tls);
    if (this.#pools !== undefined && this.#key === key) return this.#pools;
    for (const old of [this.#pools?.calls, this.#pools?.watches]) old?.close().catch(() => undefined);
    this.#key = key;
    this.#pools = { calls: agent(tls, 32), watches: agent(tls, null) };
    return this.#pools;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#pools?.calls.destroy(), this.#pools?.watches.destroy()]);
  }
}

function agent(tls: Tls, connections: number | null): Agent {
  return new Agent({
    connections,
    keepAliveTimeout: keepAlive,
    connect: { ...tls, timeout: connectTimeout },
    allowH2: false,
  });
}
