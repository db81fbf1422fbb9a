import { terminal, transient } from '../../domain/failure.ts';
import { tarBlock } from '../../stream/tar.ts';

/** Bytes of a tar as they came, or the place where the next chunk begins. */
export type TarPiece = Buffer | 'Cut';

export interface TarCutter {
  /** What of it is settled, in order; only headers that lie across two pieces are copied. */
  push(piece: Buffer): readonly TarPiece[];
  /** Rejects a tar that stops within a member. */
  end(): void;
  /** Numeric owner of the first member. */
  owner(): Owner | undefined;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Cuts a tar between members, so that each part with endOfTar behind it is a tar of its own. A part holds at most
 * `target` bytes, or one larger member. What ends the tar is left out, whether it is there (PostgreSQL 15 and later) or
 * not. Entries that only carry the next one's long name (pax, GNU) stay with it.
 */
export function createTarCutter(target: number): TarCutter {
  const header = Buffer.alloc(tarBlock);
  let filled = 0;
  let left = 0;
  let size = 0;
  let afterPrefix = false;
  let ended = false;
  let owner: Owner | undefined;

  /** A header has come: how many bytes follow it, and whether a new part begins before it. */
  const begin = (bytes: Buffer): 'Cut' | 'Goes on' | 'End' => {
    if (bytes[0] === 0 && bytes.every((byte) => byte === 0)) return 'End';
    const member = readHeader(bytes);
    owner ??= { uid: member.uid, gid: member.gid };
    const whole = tarBlock + Math.ceil(member.size / tarBlock) * tarBlock;
    const cut = !afterPrefix && size > 0 && size + whole > target;
    if (cut) size = 0;
    size += whole;
    left = whole - tarBlock;
    afterPrefix = member.isPrefix;
    return cut ? 'Cut' : 'Goes on';
  };

  return {
    push(piece) {
      const pieces: TarPiece[] = [];
      /** What comes before it has been given out. */
      let given = 0;
      const give = (end: number) => {
        if (end > given) pieces.push(piece.subarray(given, end));
        given = end;
      };
      for (let at = 0; at < piece.length && !ended; ) {
        if (left > 0) {
          const passed = Math.min(left, piece.length - at);
          left -= passed;
          at += passed;
          continue;
        }
        const taken = piece.copy(header, filled, at, at + tarBlock - filled);
        const split = filled > 0 || taken < tarBlock;
        // Up to here it is content; a header that is not whole waits for its rest.
        if (filled === 0 && split) give(at);
        filled += taken;
        at += taken;
        if (split) given = at;
        if (filled < tarBlock) break;
        filled = 0;
        const found = begin(header);
        if (found === 'End') {
          if (!split) give(at - tarBlock);
          given = piece.length;
          ended = true;
          break;
        }
        if (found === 'Cut') {
          if (!split) give(at - tarBlock);
          pieces.push('Cut');
        }
        if (split) pieces.push(Buffer.from(header));
      }
      if (!ended && filled === 0) give(piece.length);
      return pieces;
    },
    end() {
      if (left === 0 && filled === 0) return;
      throw transient(
        'CutShort',
        'The server ended a base backup in the middle of a file. Look at its log for the cause.',
      );
    },
    owner: () => owner,
  };
}

/** Of the member that this header is of. */
export function readOwner(header: Buffer): Owner {
  const { uid, gid } = readHeader(header);
  return { uid, gid };
}

interface Member extends Owner {
  readonly size: number;
  readonly isPrefix: boolean;
}

/** pax and GNU entries before the one they are about; `g` holds for all that follow, and no server writes it. */
const prefixes = 'xLK';

function readHeader(header: Buffer): Member {
  let sum = 8 * 0x20;
  for (let at = 0; at < tarBlock; at += 1) if (at < 148 || at >= 156) sum += header[at] ?? 0;
  const type = String.fromCharCode(header[156] ?? 0);
  if (numberAt(header, 148, 8) !== sum || type === 'g') {
    throw terminal(
      'UnknownTar',
      'The server sent a base backup that is no tar as PostgreSQL writes it. Please report this with the versions of Tidemark and PostgreSQL.',
    );
  }
  // Links and folders have no content, whatever the field says.
  const bare = '123456'.includes(type);
  return {
    size: bare ? 0 : numberAt(header, 124, 12),
    uid: numberAt(header, 108, 8),
    gid: numberAt(header, 116, 8),
    isPrefix: prefixes.includes(type),
  };
}

/** Octal digits, or where those do not suffice, base 256 after a set bit. */
function numberAt(header: Buffer, offset: number, length: number): number {
  const first = header[offset] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = /^\s*([0-7]*)/.exec(header.toString('latin1', offset, offset + length))?.[1] ?? '';
    return digits === '' ? 0 : Number.parseInt(digits, 8);
  }
  let number = first & 0x7f;
  for (let at = offset + 1; at < offset + length; at += 1) number = number * 256 + (header[at] ?? 0);
  return number;
}
