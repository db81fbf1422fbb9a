import type { Cluster } from '../support/cluster/cluster.ts';
import type { Kubectl, Loose } from '../support/tidemark/kubectl.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import type { S3Workload } from '../support/tidemark/s3-workload.ts';

export const demoNamespace = 'tidemark-demo';
export const s3Namespace = 'tidemark-demo-s3';
export const bucket = 'tidemark-demo';
/** The databases of the demo: what pgbench makes, and the shop. */
export const databases = ['pgbench', 'shop'] as const;

/** What one step leaves for the next. */
export interface DemoState {
  cluster: Cluster;
  kubectl: Kubectl;
  images: Readonly<Record<string, string>>;
  s3: S3Workload;
  postgres: PostgresWorkload;
  /** A line a table: name, rows, digest; before the accident. */
  before: Readonly<Record<string, readonly string[]>>;
  manual: Loose;
  scheduled: Loose;
  restore: Loose;
  comparedRows: number;
  base: Loose;
  /** As `before`, one moment before the second accident. */
  beforeDelete: Readonly<Record<string, readonly string[]>>;
  /** RFC 3339. */
  lastGoodMoment: string;
  recovery: Loose;
  recoveredRows: number;
}

/** The part of listr2's task that a step uses. */
export interface Step {
  title: string;
  output: string;
}
