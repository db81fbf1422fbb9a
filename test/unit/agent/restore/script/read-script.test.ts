import { expect, test } from 'vitest';
import { createScriptReader } from '../../../../../src/agent/restore/script/read-script.ts';

test('what is strange in a script is said at its end, when it is known that its bytes are those that were stored', () => {
  const reader = createScriptReader('shop');
  reader.push(Buffer.from(`SET statement_timeout = 0;\n\\! id\n${'-- more\n'.repeat(1000)}`));
  reader.push(Buffer.from('SELECT 1;\n'));
  expect(() => reader.end()).toThrow(
    /database shop is not what pg_dump writes: at byte 27 .*\\\\! id.* Nothing was changed/,
  );
});

test('a script is read in whatever pieces it comes', () => {
  const reader = createScriptReader('shop');
  for (const byte of Buffer.from(
    "SET client_encoding = 'UTF8';\n\\restrict k\n-- Name: t; Type: TABLE DATA; Schema: public; Owner: shop\nCOPY t FROM stdin;\n1\n\\.\n",
  ))
    reader.push(Buffer.of(byte));
  const { size, copies, marks, settings } = reader.end();
  expect({ size, copies: copies.length, marks: marks.map(({ kind }) => kind), settings: settings.length }).toEqual({
    ...{ size: 124, copies: 1, marks: ['Command'], settings: 1 },
  });
});
