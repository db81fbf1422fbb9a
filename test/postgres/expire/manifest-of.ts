import { createHash } from 'node:crypto';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { segmentNameAt } from '../../../src/domain/wal/file-name.ts';
import { formatLsn } from '../../../src/domain/wal/lsn.ts';

export const hour = 3_600_000;
const day = 24 * hour;
export const size = 16 * 1024 ** 2;
export const system = '7300000000000000001';
/** Of every object. */
export const content = Buffer.from('what the server had');

export interface MadeOptions {
  readonly method?: 'Logical' | 'Physical';
  readonly segment?: number;
  readonly timeline?: number;
  /** A database that is not in it. */
  readonly failed?: string;
}

export function manifestOf(
  daysAgo: number,
  run: string,
  { method = 'Physical', segment = 1, timeline = 1, failed }: MadeOptions,
): Manifest {
  const end = new Date(Date.now() - daysAgo * day);
  const startTime = new Date(end.getTime() - 60_000).toISOString();
  const stamp = startTime.replace(/[-:]|\.\d+/g, '');
  const common = {
    type: 'Full' as const,
    namespace: 'shop',
    policy: 'orders',
    run,
    startTime,
    completionTime: end.toISOString(),
    server: { version: '17', systemIdentifier: system, timeline, role: 'Primary' as const },
    compression: { algorithm: 'none' as const },
    size: { source: 100, stored: 2 * content.length },
  };
  if (method === 'Logical') {
    const name = { collate: 'C', ctype: 'C', encoding: 'UTF8', owner: 'postgres' };
    return {
      ...common,
      format: 1,
      backupID: `${stamp}-logical`,
      method,
      logical: {
        tool: 'pg_dump (PostgreSQL) 17',
        databases: [
          {
            name: 'shop',
            format: 'Custom',
            ...name,
            bytes: 1,
            objects: [object('databases/shop/dump')],
            contents: object('databases/shop/list'),
          },
        ],
        ...(failed === undefined ? {} : { failed: [{ name: failed, reason: 'PermissionDenied', message: 'no' }] }),
      },
    };
  }
  const begin = BigInt(segment) * BigInt(size) + 40n;
  return {
    ...common,
    format: 1,
    backupID: `${stamp}-physical-full`,
    method,
    physical: {
      chunks: [{ ...object('base/0.tar.zst'), bytes: 1 }],
      tablespaces: [],
      backupManifest: object('base/backup_manifest.zst'),
      walMethod: 'Archive',
      wal: [],
      beginLSN: formatLsn(begin),
      endLSN: formatLsn(begin + 100n),
      beginSegment: segmentNameAt(timeline, begin, size),
      endSegment: segmentNameAt(timeline, begin, size),
      timeline,
      segmentSize: size,
      dataDirectory: '/data',
      owner: { uid: 1, gid: 1 },
      dataChecksums: true,
      checksumFailures: 0,
      settings: {},
    },
  };
}

function object(path: string) {
  return { path, size: content.length, sha256: `sha256:${createHash('sha256').update(content).digest('hex')}` };
}

export function objectsIn(manifest: Manifest) {
  return manifest.method === 'Physical'
    ? [...manifest.physical.chunks, manifest.physical.backupManifest]
    : manifest.logical.databases.flatMap(({ objects, contents }) => [...objects, contents]);
}
