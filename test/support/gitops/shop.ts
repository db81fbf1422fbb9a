import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../docs/page.ts';
import type { PostgresWorkload } from '../tidemark/postgres-workload.ts';
import { type Scenario, startScenario } from '../tidemark/scenario.ts';

const samples = join(root, 'manifests/samples/gitops');

export function readSample<Shape>(path: string): Shape {
  return parse(readFileSync(join(samples, path), 'utf8')) as Shape;
}

/** The shop of manifests/samples/gitops: its server and its Secrets, and its objects as they stand in Git. */
export interface Shop {
  readonly scenario: Scenario;
  readonly postgres: PostgresWorkload;
  /** One of the samples' objects, in the shop's own namespace and bucket. */
  object(name: string, change?: (text: string) => string): object;
  /** How many orders the restore of the samples has brought back. */
  restored(): Promise<string>;
}

export const inGit = ['10-repository', '20-policy'] as const;
export const restore = '30-restore-2026-11-21';

export async function startShop(prefix: string): Promise<Shop> {
  const scenario = await startScenario(prefix);
  const postgres = await scenario.postgres();
  await postgres.psql('create database orders');
  await postgres.psql('create table public.orders as select generate_series(1, 1234) as id', 'orders');
  const secret = (name: string, stringData: Readonly<Record<string, string>>) => ({
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: scenario.namespace }, stringData },
  });
  await scenario.apply(
    secret('orders-db-admin', { username: 'postgres', password: postgres.password }),
    secret('s3-credentials', {
      AWS_ACCESS_KEY_ID: scenario.s3.accessKey,
      AWS_SECRET_ACCESS_KEY: scenario.s3.secretKey,
    }),
  );
  return {
    scenario,
    postgres,
    object: (name, change = (text) => text) =>
      parse(
        change(readFileSync(join(samples, 'objects', `${name}.yaml`), 'utf8'))
          .replaceAll('namespace: shop', `namespace: ${scenario.namespace}`)
          .replace('region: eu-west-1', 'region: us-east-1')
          .replace('bucket: pg-backups', `bucket: ${scenario.bucket}\n    endpoint: "${scenario.s3.endpoint}"`),
      ),
    restored: () => postgres.psql('select count(*) from public.orders', 'orders_2026_11_21'),
  };
}
