/** Bytes that a zstd frame says that it holds (RFC 8878, 3.1.1.1); undefined where it says nothing, or is none. */
export function contentSize(frame: Buffer): number | undefined {
  const descriptor = frame[4];
  if (descriptor === undefined || frame.readUInt32LE(0) !== magic) return undefined;
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = 5 + (isSingle ? 0 : 1) + dictionary;
  const bytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  if (bytes === 0 || frame.length < at + bytes) return undefined;
  switch (bytes) {
    case 1:
      return frame.readUInt8(at);
    case 2:
      return frame.readUInt16LE(at) + 256;
    case 4:
      return frame.readUInt32LE(at);
    default:
      return Number(frame.readBigUInt64LE(at));
  }
}

const magic = 0xfd2fb528;
