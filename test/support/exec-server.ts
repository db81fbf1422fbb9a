import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';

/** What an API server says on the channels of an exec. */
export interface Channels {
  say(channel: number, data: string | Buffer): void;
  /** Ends the connection as a WebSocket is ended, or as a node that goes away does. */
  close(): void;
  reset(): void;
}

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface AskedExec {
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
}

/**
 * The API server's side of `pods/exec`, on a real socket: the WebSocket of v4.channel.k8s.io (RFC 6455, without what the
 * client need not send), and whatever else is asked by `answer`.
 */
export class ExecServer {
  readonly asked: AskedExec[] = [];
  /** What becomes of an exec; `refuse` answers instead of the upgrade. */
  onExec: (channels: Channels, asked: AskedExec) => void = (channels) => channels.say(3, success);
  refuse: Answer | undefined;
  answer: (method: string, path: string, body: unknown) => Answer = () => ({ status: 404, body: {} });
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  readonly #scheme: 'http' | 'https';

  private constructor(certificate: Certificate | undefined) {
    const listener = async (request: IncomingMessage, response: ServerResponse) => {
      const body = await text(request);
      const path = request.url ?? '';
      const isExec = path.includes('/exec?');
      const { status, body: answer } = isExec
        ? (this.refuse ?? { status: 400, body: { message: 'Upgrade request required' } })
        : this.answer(request.method ?? '', path, body === '' ? undefined : JSON.parse(body));
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    };
    this.#scheme = certificate === undefined ? 'http' : 'https';
    this.#server = certificate === undefined ? createServer(listener) : createTlsServer({ ...certificate }, listener);
    this.#server.on('upgrade', (request, socket) => this.#upgrade(request, socket));
  }

  static async start(certificate?: Certificate): Promise<ExecServer> {
    const server = new ExecServer(certificate);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    if (this.refuse !== undefined) {
      const body = JSON.stringify(this.refuse.body);
      socket.end(
        `HTTP/1.1 ${this.refuse.status} No\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      return;
    }
    const key = request.headers['sec-websocket-key'] ?? '';
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n`,
    );
    const asked = { url: new URL(request.url ?? '', 'http://api'), headers: request.headers };
    this.asked.push(asked);
    this.onExec(
      {
        say: (channel, data) => socket.write(frame(2, Buffer.concat([Buffer.from([channel]), Buffer.from(data)]))),
        close: () => socket.end(frame(8, Buffer.from([0x03, 0xe8]))),
        reset: () => socket.destroy(),
      },
      asked,
    );
  }
}

export const success = JSON.stringify({ metadata: {}, status: 'Success' });

export function exited(code: number): string {
  return JSON.stringify({
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  });
}

/** A server's frames are not masked. */
function frame(opcode: number, payload: Buffer): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, payload.length])
      : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, payload]);
}
