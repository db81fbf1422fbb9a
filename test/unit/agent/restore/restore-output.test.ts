import { expect, test } from 'vitest';
import { createRestoreOutput } from '../../../../src/agent/restore/restore-output.ts';

const said = `pg_restore: connecting to database for restore
pg_restore: creating SCHEMA "shop"
pg_restore: creating TABLE "shop.orders"
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 221; 1259 16626 TABLE orders shop_owner
pg_restore: error: could not execute query: ERROR:  relation "orders" already exists
DETAIL:  it does
Command was: CREATE TABLE shop.orders (
    secret text DEFAULT 'pg_restore: error: none'
);


pg_restore: processing data for table "shop.orders"
pg_restore: executing SEQUENCE SET orders_id_seq
pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"
Command was: SET transaction_timeout = 0;
pg_restore: warning: errors ignored on restore: 2`;

test('objects, errors with their object, and what is under way are told from the words', () => {
  const told: string[] = [];
  const output = createRestoreOutput({
    ignores: (message) => message.includes('transaction_timeout'),
    onError: ({ message }) => told.push(message),
  });
  for (const line of said.split('\n')) output.line(line);
  output.end();
  expect(output.objects()).toBe(4);
  expect(output.current()).toBe('executing SEQUENCE SET orders_id_seq');
  expect(output.errors()).toBe(1);
  expect(output.firstErrors()).toEqual([
    {
      object: 'TABLE orders shop_owner',
      message: 'could not execute query: ERROR:  relation "orders" already exists\nDETAIL:  it does',
    },
  ]);
  expect(told).toHaveLength(1);
});

test('ten errors are kept, all are counted', () => {
  const output = createRestoreOutput();
  for (let index = 0; index < 25; index += 1) output.line(`pg_restore: error: number ${index}`);
  output.end();
  expect(output.errors()).toBe(25);
  expect(output.firstErrors()).toHaveLength(10);
});
