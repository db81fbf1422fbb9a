import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { freePort } from './s3/server.ts';
import { until } from './tidemark/until.ts';

export interface Prometheus {
  /** The series that an expression has now, the value of each. */
  query(expression: string): Promise<readonly Series[]>;
  stop(): Promise<void>;
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A real Prometheus with a folder of its own, which scrapes these addresses each second. */
export async function startPrometheus(targets: readonly string[]): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-prometheus-'));
  const address = `127.0.0.1:${await freePort()}`;
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [{ job_name: 'tidemark', honor_labels: true, static_configs: [{ targets }] }],
  };
  // YAML has JSON in it.
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const server = execa(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
    ],
    { all: true, reject: false },
  );
  const stop = async () => {
    server.kill('SIGTERM');
    await server;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(
      'Prometheus to answer',
      async () => (await fetch(`http://${address}/-/ready`).catch(() => undefined))?.ok === true,
    );
  } catch (error) {
    await stop();
    throw new Error(`Prometheus did not start: ${(await server).all}`, { cause: error });
  }
  return {
    query: async (expression) => {
      const response = await fetch(`http://${address}/api/v1/query`, {
        method: 'POST',
        body: new URLSearchParams({ query: expression }),
      });
      const answer = (await response.json()) as { error?: string; data?: { result: readonly Series[] } };
      if (answer.data === undefined) throw new Error(`Prometheus refuses ${expression}: ${answer.error}`);
      return answer.data.result;
    },
    stop,
  };
}
