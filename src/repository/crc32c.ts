/** CRC-32C (Castagnoli, RFC 3720), by which Google Cloud Storage checks what it stores. `crc` goes on from one before. */
export function crc32c(bytes: Buffer, crc = 0): number {
  let value = ~crc;
  let offset = 0;
  // Eight bytes at a time: one by one it would be slower than the network.
  for (; offset + 8 <= bytes.length; offset += 8) {
    const low = value ^ bytes.readInt32LE(offset);
    const high = bytes.readInt32LE(offset + 4);
    value =
      at(7, low) ^
      at(6, low >>> 8) ^
      at(5, low >>> 16) ^
      at(4, low >>> 24) ^
      at(3, high) ^
      at(2, high >>> 8) ^
      at(1, high >>> 16) ^
      at(0, high >>> 24);
  }
  for (; offset < bytes.length; offset += 1) value = at(0, value ^ (bytes[offset] ?? 0)) ^ (value >>> 8);
  return ~value >>> 0;
}

/** As Google writes it: Base64 of the big-endian bytes. */
export function formatCrc32c(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString('base64');
}

const polynomial = 0x82f63b78;
const tables = makeTables();

function at(table: number, index: number): number {
  return tables[table * 256 + (index & 0xff)] ?? 0;
}

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let index = 0; index < 256; index += 1) {
    let value = index;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    made[index] = value;
  }
  for (let index = 256; index < made.length; index += 1) {
    const before = made[index - 256] ?? 0;
    made[index] = (made[before & 0xff] ?? 0) ^ (before >>> 8);
  }
  return made;
}
