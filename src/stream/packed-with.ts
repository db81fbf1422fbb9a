import type { Compression } from './compress.ts';

/** So many bytes tell it. */
export const packedWithLength = 4;

/** What something is packed with, by the number that each format begins with; undefined: with none of them. */
export function packedWith(head: Buffer): Exclude<Compression['algorithm'], 'none'> | undefined {
  // RFC 8878 3.1.1, lz4_Frame_format.md, RFC 1952 2.3.1: deflate is gzip's one method.
  if (head.length >= 4 && head.readUInt32LE() === 0xfd2fb528) return 'zstd';
  if (head.length >= 4 && head.readUInt32LE() === 0x184d2204) return 'lz4';
  return head.length >= 3 && head.readUIntBE(0, 3) === 0x1f8b08 ? 'gzip' : undefined;
}
