import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Stage } from './pipeline.ts';

/** A file to be packed: its path relative to the folder, and its size in bytes. */
export interface PackedFile {
  readonly path: string;
  readonly size: number;
}

/** Files that go into one tar sequence, and how long that is before compression. */
export interface Chunk {
  readonly files: readonly PackedFile[];
  readonly size: number;
}

export const defaultChunkSize = 1024 ** 3;
/** Their names travel as arguments, which the kernel bounds. */
const maxFiles = 4096;
/** Bytes: a tar is made of blocks (POSIX, ustar). */
export const tarBlock = 512;
/** What a tar sequence ends with. */
export const endOfTar = Buffer.alloc(2 * tarBlock);
/** GNU tar ends with zeros up to a multiple of this. */
const record = 20 * tarBlock;

/** Every regular file under a folder; a Directory-format dump has no others. */
export async function listFiles(folder: string): Promise<readonly PackedFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (file) => ({ path: relative(folder, file).split(sep).join('/'), size: (await stat(file)).size })),
  );
}

/**
 * Puts files into chunks of at most `limit` bytes each, the largest files first, so that no long one is left for the
 * end. Files are never cut: one that is larger than the limit is a chunk of its own.
 */
export function planChunks(files: readonly PackedFile[], limit: number = defaultChunkSize): readonly Chunk[] {
  const sorted = [...files].sort((a, b) => b.size - a.size || (a.path < b.path ? -1 : 1));
  const chunks: Chunk[] = [];
  let current: PackedFile[] = [];
  let bytes = 0;
  const close = () => {
    if (current.length > 0) chunks.push({ files: current, size: withTrailer(bytes) });
    current = [];
    bytes = 0;
  };
  for (const file of sorted) {
    const entry = entrySize(file);
    if (current.length === maxFiles || withTrailer(bytes + entry) > limit) close();
    current.push(file);
    bytes += entry;
  }
  close();
  return chunks;
}

/** The stage that writes a chunk's tar sequence. The archive says nothing of users, groups and machines. */
export function tarPacker(folder: string, files: readonly PackedFile[]): Stage {
  const paths = files.map(({ path }) => path);
  return {
    command: 'tar',
    args: [
      '--create',
      '--file=-',
      '--format=gnu',
      '--numeric-owner',
      '--owner=0',
      '--group=0',
      '--mode=u=rw,go=',
      '--no-recursion',
      `--directory=${folder}`,
      '--',
      ...paths,
    ],
  };
}

/** A header and the content, for paths of at most 100 bytes. */
function entrySize({ size }: PackedFile): number {
  return tarBlock + Math.ceil(size / tarBlock) * tarBlock;
}

function withTrailer(bytes: number): number {
  return Math.ceil((bytes + endOfTar.length) / record) * record;
}
