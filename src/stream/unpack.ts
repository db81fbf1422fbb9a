import { type Compression, decompressor } from './compress.ts';
import { decryptor } from './encrypt.ts';
import type { Stage } from './pipeline.ts';

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
