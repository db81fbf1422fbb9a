import type { Timings } from '../../../src/repository/attempts.ts';
import { gcsStore } from '../../../src/repository/gcs.ts';
import type { Store } from '../../../src/repository/store.ts';
import { ensureTool } from '../cluster/tools.ts';
import { freePort } from '../s3/server.ts';
import { startServerProcess } from '../server-process.ts';

export interface GcsServer {
  readonly endpoint: string;
  readonly createBucket: (name: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** A server of others that speaks Google's protocol (fsouza/fake-gcs-server), in memory, on a free port of this host. */
export async function startGcsServer(host = '127.0.0.1'): Promise<GcsServer> {
  const binary = await ensureTool('fake-gcs-server', { log: () => undefined });
  const port = await freePort(host);
  const endpoint = `http://${host}:${port}`;
  const place = ['-scheme', 'http', '-host', host, '-port', String(port), '-external-url', endpoint];
  const server = await startServerProcess(
    'fake-gcs-server',
    [binary, '-backend', 'memory', '-log-level', 'error', ...place],
    { port, host },
  );
  return {
    endpoint,
    async createBucket(name) {
      const answer = await fetch(`${endpoint}/storage/v1/b`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
      });
      if (!answer.ok) throw new Error(`the bucket ${name}: HTTP ${answer.status}`);
    },
    stop: server.stop,
  };
}

interface Place {
  readonly endpoint: string;
  readonly bucket: string;
  readonly prefix?: string;
}

/** A store as open.ts makes it, without mounted files. */
export function openGcs({ endpoint, bucket, prefix = 'pre/fix' }: Place, timings?: Timings): Store {
  const tokens = async () => async () => 'token';
  return gcsStore({ bucket, prefix, endpoint, tokens, credentialsFrom: 'the Secret store' }, timings);
}
