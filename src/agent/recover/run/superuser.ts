import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Of pg_authid (PostgreSQL, catalog/pg_authid.dat); the bootstrap superuser's OID, which no command changes. */
const authidOid = 1260;
const bootstrapOid = 10;
const pageSize = 8192;
const nameLength = 64;

/**
 * The names that the bootstrap superuser may have, best first: what the backup says, what the data directory's pg_authid
 * holds (more than one where it was renamed), and what it mostly is.
 */
export async function superuserNames(dataDirectory: string, told: string | undefined): Promise<readonly string[]> {
  const file = await authidFile(join(dataDirectory, 'global'));
  const content = await readFile(join(dataDirectory, 'global', file)).catch(() => Buffer.alloc(0));
  return [...new Set([...(told === undefined ? [] : [told]), ...namesInPages(content).toReversed(), 'postgres'])];
}

/** RelMapFile (utils/cache/relmapper.c): a magic number, how many, and pairs of OID and file number. */
async function authidFile(folder: string): Promise<string> {
  const map = await readFile(join(folder, 'pg_filenode.map')).catch(() => Buffer.alloc(0));
  const count = map.length < 8 ? 0 : map.readInt32LE(4);
  for (let index = 0; index < count && 16 + index * 8 <= map.length; index += 1) {
    if (map.readUInt32LE(8 + index * 8) === authidOid) return String(map.readUInt32LE(12 + index * 8));
  }
  return String(authidOid);
}

/** Every version of the row (storage/bufpage.h, access/htup_details.h): its first columns are oid and rolname. */
export function namesInPages(content: Buffer): readonly string[] {
  const names: string[] = [];
  for (let page = 0; page + pageSize <= content.length; page += pageSize) {
    const lower = content.readUInt16LE(page + 12);
    for (let item = 24; item + 4 <= Math.min(lower, pageSize); item += 4) {
      const pointer = content.readUInt32LE(page + item);
      const [offset, flags] = [pointer & 0x7fff, (pointer >>> 15) & 3];
      if (flags !== 1 || offset + 23 > pageSize) continue;
      const data = page + offset + content.readUInt8(page + offset + 22);
      if (data + 4 + nameLength > page + pageSize || content.readUInt32LE(data) !== bootstrapOid) continue;
      const name = content.subarray(data + 4, data + 4 + nameLength);
      const end = name.indexOf(0);
      if (end > 0) names.push(name.subarray(0, end).toString('utf8'));
    }
  }
  return names;
}
