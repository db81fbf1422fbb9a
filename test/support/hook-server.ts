import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What hooks are sent to: remembers every request, and answers as it is told. */
export class HookServer {
  readonly received: Received[] = [];
  /** By default 200 and a word. */
  answer: (response: ServerResponse, request: Received) => void = (response) => void response.end('ok');
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';
  #port = 0;

  private constructor(certificate: { readonly cert: string; readonly key: string } | undefined) {
    const listener = async (request: IncomingMessage, response: ServerResponse) => {
      const { method = '', url: path = '', headers } = request;
      const received = { method, path, headers, body: await text(request) };
      this.received.push(received);
      this.answer(response, received);
    };
    this.#scheme = certificate === undefined ? 'http' : 'https';
    this.#server = certificate === undefined ? createServer(listener) : createTlsServer({ ...certificate }, listener);
  }

  static async start(certificate?: { readonly cert: string; readonly key: string }): Promise<HookServer> {
    const server = new HookServer(certificate);
    await server.listen();
    return server;
  }

  /** Where it listened before, if it did. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  url(path = '/'): string {
    return `${this.#scheme}://${this.host}${path}`;
  }

  /** The bodies as JSON. */
  get notices(): readonly Readonly<Record<string, unknown>>[] {
    return this.received.map(({ body }) => JSON.parse(body));
  }

  reset(): void {
    this.received.length = 0;
    this.answer = (response) => void response.end('ok');
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
