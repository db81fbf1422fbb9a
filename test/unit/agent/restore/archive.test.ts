import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ArchiveCutShort, parseArchive, UnknownArchive } from '../../../../src/agent/restore/archive.ts';
import { entry, writeArchive } from './archive-writer.ts';

const table = entry({ id: 7, kind: 'TABLE', schema: 'Ärger & Co', name: 'a; Type: VIEW\nb "c"', dependencies: [3, 1] });

test.each([14, 15, 16])('reads archives of version 1.%i, Custom and Directory', (version) => {
  for (const [format, name] of [
    [1, 'Custom'],
    [3, 'Directory'],
    [5, 'Directory'],
  ] as const) {
    const archive = parseArchive(writeArchive([table], { version, format }));
    expect(archive).toEqual({ format: name, database: 'shop', entries: [table] });
  }
});

test('names come out as they went in, whatever is in them', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 });
  fc.assert(
    fc.property(fc.array(fc.record({ schema: text, name: text, owner: text, definition: text })), (all) => {
      const entries = all.map((fields, index) => entry({ id: index + 1, kind: 'TABLE', ...fields }));
      expect(parseArchive(writeArchive(entries)).entries).toEqual(entries);
    }),
  );
});

test('text is in the encoding that the archive names', () => {
  const encoding = entry({
    id: 1,
    kind: 'ENCODING',
    name: 'ENCODING',
    definition: "SET client_encoding = 'LATIN1';\n",
  });
  const straße = entry({ id: 2, kind: 'TABLE', name: 'Straße' });
  const bytes = writeArchive([encoding, straße], { encode: (text) => Buffer.from(text, 'latin1') });
  expect(parseArchive(bytes).entries[1]?.name).toBe('Straße');
});

test('every beginning of an archive is told as cut short', () => {
  const bytes = writeArchive([table]);
  for (let length = 0; length < bytes.length; length += 1) {
    expect(() => parseArchive(bytes.subarray(0, length))).toThrow(ArchiveCutShort);
  }
});

test('other files, and archives of other versions and formats, are refused', () => {
  expect(() => parseArchive(Buffer.from('CREATE TABLE t ();'))).toThrow(UnknownArchive);
  expect(() => parseArchive(writeArchive([], { version: 13 }))).toThrow('1.13');
  expect(() => parseArchive(writeArchive([], { version: 17 }))).toThrow('1.17');
  expect(() => parseArchive(writeArchive([], { format: 4 }))).toThrow('code 4');
});
