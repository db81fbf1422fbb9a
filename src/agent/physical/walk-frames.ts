import { terminal } from '../../domain/failure.ts';

/** Follows the structure of a zstd stream without unpacking it (RFC 8878): no more than the headers is looked at. */
export interface FrameWalker {
  push(bytes: Buffer): void;
  /** Whether all frames that began have ended, and there was one. */
  isWhole(): boolean;
}

const magic = 0xfd2fb528;
/** Frames for readers who want them, with any of the last four bits. */
const skippable = 0x184d2a50;
const longestHeader = 18;
const blockHeader = 3;

/** What comes next: a part with a header of its own, or bytes to pass over. */
type Next = 'Frame' | 'Block' | 'Checksum';

export function createFrameWalker(): FrameWalker {
  const header = Buffer.alloc(longestHeader);
  let filled = 0;
  let left = 0;
  let next: Next = 'Frame';
  let hasChecksum = false;
  let frames = 0;
  /** How many bytes of a header must be there to know more; all of them are known, where it is `filled`. */
  const needed = () => (next === 'Block' ? blockHeader : frameHeaderLength(header, filled));
  const take = () => {
    if (next === 'Block') {
      const word = header.readUIntLE(0, blockHeader);
      // A block that repeats one byte says how often.
      left = ((word >> 1) & 3) === 1 ? 1 : word >>> 3;
      if ((word & 1) === 1) next = hasChecksum ? 'Checksum' : 'Frame';
    } else if (isSkippable(header.readUInt32LE(0))) {
      left = header.readUInt32LE(4);
      frames += 1;
    } else {
      hasChecksum = ((header[4] ?? 0) & 4) !== 0;
      next = 'Block';
      frames += 1;
    }
  };
  return {
    push(bytes) {
      for (let at = 0; at < bytes.length; ) {
        if (left > 0) {
          const passed = Math.min(left, bytes.length - at);
          left -= passed;
          at += passed;
          continue;
        }
        if (next === 'Checksum') {
          left = 4;
          next = 'Frame';
          continue;
        }
        const copied = bytes.copy(header, filled, at, at + needed() - filled);
        filled += copied;
        at += copied;
        if (filled < needed()) continue;
        filled = 0;
        take();
      }
    },
    isWhole: () => frames > 0 && next === 'Frame' && left === 0 && filled === 0,
  };
}

function isSkippable(word: number): boolean {
  return (word & ~0xf) >>> 0 === skippable;
}

/** As far as it is known by so many bytes of it. */
function frameHeaderLength(header: Buffer, filled: number): number {
  if (filled < 4) return 4;
  const word = header.readUInt32LE(0);
  if (isSkippable(word)) return 8;
  if (word !== magic) {
    throw terminal(
      'UnknownStream',
      'The server was asked to pack its base backup with zstd, and sent something else. Set physical.compress to Client, and please report this with the versions of Tidemark and PostgreSQL.',
    );
  }
  if (filled < 5) return 5;
  const descriptor = header[4] ?? 0;
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const content = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return 5 + (isSingle ? 0 : 1) + dictionary + content;
}
