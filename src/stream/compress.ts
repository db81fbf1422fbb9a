import { availableParallelism } from 'node:os';
import type { Stage } from './pipeline.ts';

export interface Compression {
  readonly algorithm: 'zstd' | 'gzip' | 'lz4' | 'none';
  readonly level?: number | undefined;
}

/** Of data. Those of gzip and lz4 are the tools' own. */
export const defaultLevels = { zstd: 3, gzip: 6, lz4: 1 } as const;
/** More threads do not help a stream that one network connection drains, and each costs memory. */
const maxThreads = 8;

/**
 * The stage that packs a stream; undefined for none. What each writes carries its own checksum, so that `zstd -t`,
 * `gzip -t` or `lz4 -t` checks a file.
 */
export function compressor({ algorithm, level }: Compression): Stage | undefined {
  const threads = Math.min(availableParallelism(), maxThreads);
  switch (algorithm) {
    case 'zstd':
      return { command: 'zstd', args: ['-q', '-c', `-T${threads}`, `-${level ?? defaultLevels.zstd}`] };
    case 'gzip':
      return { command: 'pigz', args: ['-q', '-c', '-p', String(threads), `-${level ?? defaultLevels.gzip}`] };
    case 'lz4':
      return { command: 'lz4', args: ['-q', '-z', '-c', `-${level ?? defaultLevels.lz4}`] };
    case 'none':
      return undefined;
  }
}

/** The stage that unpacks what compressor() packed; undefined for none. It fails where that is cut short or goes on. */
export function decompressor({ algorithm }: Compression): Stage | undefined {
  switch (algorithm) {
    case 'zstd':
      return { command: 'zstd', args: ['-q', '-d', '-c'] };
    case 'gzip':
      // Not pigz, which says nothing of bytes behind the end, and unpacks with one thread as well.
      return { command: 'gzip', args: ['-d', '-c'] };
    case 'lz4':
      return { command: 'lz4', args: ['-q', '-d', '-c'] };
    case 'none':
      return undefined;
  }
}

const suffixes = { zstd: '.zst', gzip: '.gz', lz4: '.lz4', none: '' } as const;

/** The ending of a packed object's name, or nothing. */
export function compressedSuffix({ algorithm }: Compression): string {
  return suffixes[algorithm];
}
