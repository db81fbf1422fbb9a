import { availableParallelism } from 'node:os';
import { terminal } from '../domain/failure.ts';
import type { Stage } from './pipeline.ts';

export interface Compression {
  readonly algorithm: 'zstd' | 'gzip' | 'lz4' | 'none';
  readonly level?: number | undefined;
}

export const defaultLevel = 3;
/** More threads do not help a stream that one network connection drains, and each costs memory. */
const maxThreads = 8;

/** The stage that packs a stream; undefined for none. A frame carries its own checksum, so `zstd -t` checks a file. */
export function compressor({ algorithm, level }: Compression): Stage | undefined {
  if (algorithm === 'none') return undefined;
  requireZstd(algorithm);
  const threads = Math.min(availableParallelism(), maxThreads);
  return { command: 'zstd', args: ['-q', '-c', `-T${threads}`, `-${level ?? defaultLevel}`] };
}

/** The stage that unpacks what compressor() packed; undefined for none. */
export function decompressor({ algorithm }: Compression): Stage | undefined {
  if (algorithm === 'none') return undefined;
  requireZstd(algorithm);
  return { command: 'zstd', args: ['-q', '-d', '-c'] };
}

/** The ending of a packed object's name: `.zst`, or nothing. */
export function compressedSuffix({ algorithm }: Compression): string {
  return algorithm === 'zstd' ? '.zst' : '';
}

function requireZstd(algorithm: Compression['algorithm']): void {
  if (algorithm === 'zstd') return;
  throw terminal(
    'NotImplemented',
    `Compression ${algorithm} is not available in this version of Tidemark. Set compression.algorithm to zstd or none.`,
  );
}
