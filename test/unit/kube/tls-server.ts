import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A server that tells whoever asks what headers and which client certificate it was shown. */
export class TlsServer {
  readonly #server: Server;

  private constructor({ cert, key }: Certificate) {
    this.#server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false }, (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ headers: request.headers, certificate: subject?.CN } satisfies Shown));
    });
  }

  static async start(certificate: Certificate): Promise<TlsServer> {
    const server = new TlsServer(certificate);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** As when the cluster's certificate authority is exchanged. */
  use(certificate: Certificate): void {
    this.#server.setSecureContext({ ...certificate });
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export interface Shown {
  readonly headers: IncomingHttpHeaders;
  readonly certificate: string | string[] | undefined;
}

/** A self-signed certificate of 127.0.0.1. */
export async function certificateOf(name: string): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'certificate-'));
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:tidemark.test'];
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    ...curve,
    '-days',
    '2',
    ...names,
    '-keyout',
    key,
    '-out',
    cert,
  ]);
  const certificate = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  await rm(folder, { recursive: true });
  return certificate;
}
