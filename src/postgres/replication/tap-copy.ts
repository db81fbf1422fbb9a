import type { Duplex } from 'node:stream';

/** A part of a copyData message: `first` and `last` tell where a message begins and ends. */
export interface CopyPart {
  readonly bytes: Buffer;
  readonly first: boolean;
  readonly last: boolean;
}

const copyData = 0x64;
const headerLength = 5;

/**
 * Takes the copyData messages out of a stream as they come, without a copy and without waiting for whole messages; every
 * other message goes on to who listened before. Begins between two messages. Gives what ends it.
 */
export function tapCopy(stream: Duplex, onPart: (part: CopyPart) => void): () => void {
  const listeners = stream.listeners('data') as ((bytes: Buffer) => void)[];
  const split = splitCopy(onPart, (bytes) => {
    for (const listener of listeners) listener.call(stream, bytes);
  });
  for (const listener of listeners) stream.off('data', listener);
  stream.on('data', split);
  return () => {
    stream.off('data', split);
    for (const listener of listeners) stream.on('data', listener);
  };
}

/** Messages of the protocol are one letter, a length that counts itself, and the content. */
export function splitCopy(onPart: (part: CopyPart) => void, onOther: (bytes: Buffer) => void): (bytes: Buffer) => void {
  const header = Buffer.alloc(headerLength);
  let filled = 0;
  let left = 0;
  let copying = false;
  let first = false;
  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      if (left > 0) {
        const part = bytes.subarray(at, at + left);
        at += part.length;
        left -= part.length;
        if (copying) onPart({ bytes: part, first, last: left === 0 });
        else onOther(part);
        first = false;
        continue;
      }
      const taken = bytes.copy(header, filled, at, at + headerLength - filled);
      filled += taken;
      at += taken;
      if (filled < headerLength) return;
      filled = 0;
      left = header.readUInt32BE(1) - 4;
      copying = header[0] === copyData;
      first = true;
      if (!copying) onOther(Buffer.from(header));
      else if (left === 0) onPart({ bytes: Buffer.alloc(0), first: true, last: true });
    }
  };
}
