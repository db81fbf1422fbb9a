import type { Physical } from '../../api/backup-policy.ts';
import { Failure } from '../../domain/failure.ts';
import { typedSince } from '../../postgres/replication/base-backup.ts';
import { type Compression, defaultLevels } from '../../stream/compress.ts';

/** Who packs a base backup. */
export type Packing =
  | { readonly by: 'Server'; readonly level: number; readonly workers?: number }
  /** `because`: why it is not the server, as the policy has it. */
  | { readonly by: 'Client'; readonly because?: string };

/**
 * Threads beside the server's process that reads the files. Nobody who asks by SQL is told how many processors a server
 * has, and they are there for its clients: one is enough to read and pack at the same time.
 */
const workers = 1;

/** What may be tried, best first. Whether a server was built with zstd, and with its threads, only it can tell. */
export function packingsFor(
  { compress }: Pick<Physical, 'compress'>,
  { algorithm, level = defaultLevels.zstd }: Compression,
  { major }: { readonly major: number },
): readonly Packing[] {
  if (compress === 'Client' || algorithm === 'none') return [{ by: 'Client' }];
  if (algorithm !== 'zstd') {
    return [
      {
        by: 'Client',
        because: `a server packs with zstd only, and the policy has compression.algorithm: ${algorithm}`,
      },
    ];
  }
  if (major < typedSince) {
    return [{ by: 'Client', because: `PostgreSQL ${major} cannot pack a base backup with zstd, as 15 and later can` }];
  }
  return [
    { by: 'Server', level, workers },
    { by: 'Server', level },
    { by: 'Client', because: 'the server refused to pack with zstd, most likely because it was built without it' },
  ];
}

/**
 * What is left to try when a server has refused one of them before it sent anything: it does so by what is wrong with the
 * option's name or value. Nothing, where it was something else. The words are in the server's language.
 */
export function afterRefusal(packings: readonly Packing[], error: unknown): readonly Packing[] {
  const [refused, ...rest] = packings;
  if (refused?.by !== 'Server' || !(error instanceof Failure)) return [];
  switch (codeOf(error.cause)) {
    // syntax_error: this build does not know zstd.
    case '42601':
      return rest.filter(({ by }) => by === 'Client');
    // invalid_parameter_value, feature_not_supported: its zstd has no threads.
    case '22023':
    case '0A000':
      return rest;
    default:
      return [];
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
