import { type Compression, decompressor } from './compress.ts';
import { decryptor } from './encrypt.ts';
import { runPipeline, type Stage } from './pipeline.ts';
import { unpackInside } from './unpack-inside.ts';

/** How an object was made, and what opens it. */
export interface Packed {
  readonly compression: Compression;
  /** Present where it is encrypted. */
  readonly identityFile?: string | undefined;
}

/** The stages that give back what was packed and encrypted; none where it is stored as it was. */
export function unpackers({ compression, identityFile }: Packed): readonly Stage[] {
  const stages = [identityFile === undefined ? undefined : decryptor(identityFile), decompressor(compression)];
  return stages.filter((stage) => stage !== undefined);
}

/** Unpacks where that costs least: in this process, but for lz4, which Node does not have. */
export function unpacked(
  { algorithm }: Pick<Compression, 'algorithm'>,
  source: AsyncIterable<Buffer>,
  signal: AbortSignal,
): AsyncIterable<Buffer> {
  switch (algorithm) {
    case 'none':
      return source;
    case 'zstd':
    case 'gzip':
      return unpackInside(algorithm, source, signal);
    case 'lz4':
      return runPipeline([lz4], { signal, input: source }).output;
  }
}

/** Whether unpacked() gives memory that nobody else holds. */
export function isUnpackedInside({ algorithm }: Pick<Compression, 'algorithm'>): boolean {
  return algorithm === 'zstd' || algorithm === 'gzip';
}

/** Whether it is what unpacked() rejects with where zlib cannot read what it is given. */
export function isOfZlib(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^(ZSTD_error_|Z_)/.test(String(error.code));
}

const lz4: Stage = { command: 'lz4', args: ['-q', '-d', '-c'] };
