import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { fileListOf } from '../../../../src/agent/physical/file-list.ts';

const manifest = `{ "PostgreSQL-Backup-Manifest-Version": 2,
"System-Identifier": 7610697244774169320,
"Files": [
{ "Path": "backup_label", "Size": 227, "Last-Modified": "2026-11-21 18:43:25 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "7e5f8aa1" },
{ "Path": "odd \\"name\\", }", "Size": 8192, "Last-Modified": "2026-11-21 18:43:25 GMT" },
{ "Encoded-Path": "ff2f", "Size": 0, "Last-Modified": "2026-11-21 18:43:25 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "00000000" }
],
"WAL-Ranges": [
{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000120" }
],
"Manifest-Checksum": "aaaa"}
`;

it('keeps names, sizes, WAL and every digit of the identifier, and has a checksum that fits', () => {
  const list = fileListOf(Buffer.from(manifest)).toString();
  expect(list).toContain('"System-Identifier": 7610697244774169320,\n');
  const { Files, 'WAL-Ranges': ranges, 'Manifest-Checksum': digest } = JSON.parse(list);
  expect(Files).toEqual([
    { Path: 'backup_label', Size: 227 },
    { Path: 'odd "name", }', Size: 8192 },
    { 'Encoded-Path': 'ff2f', Size: 0 },
  ]);
  expect(ranges).toEqual([{ Timeline: 1, 'Start-LSN': '0/2000028', 'End-LSN': '0/2000120' }]);
  const body = list.slice(0, list.indexOf('"Manifest-Checksum"'));
  expect(digest).toBe(createHash('sha256').update(body).digest('hex'));
  expect(list.endsWith('"}\n')).toBe(true);
});
