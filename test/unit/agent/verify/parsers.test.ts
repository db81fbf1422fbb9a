import { describe, expect, test } from 'vitest';
import { findings } from '../../../../src/agent/verify/amcheck.ts';
import { createCheckList, failureOf, skippedWords } from '../../../../src/agent/verify/check-list.ts';
import { answerOf } from '../../../../src/agent/verify/data-checksums.ts';
import { firstErrors } from '../../../../src/agent/verify/dump-to-nowhere.ts';
import { requireServer } from '../../../../src/agent/verify/server-lost.ts';

test('pg_amcheck’s findings are told once for each object, with its first words', () => {
  const stdout = `heap table "shop.public.""odd"" name", block 0, offset 3, attribute 1:
    attribute with length 12 ends at offset 44 beyond total tuple length 40
heap table "shop.public.""odd"" name", block 0, offset 4:
    line pointer redirection to unused item at offset 9
btree index "shop.public.by_name":
    ERROR:  item order invariant violated for index "by_name"
    DETAIL:  Lower index tid=(1,2) (points to heap tid=(0,2)).
`;
  expect(findings(stdout)).toEqual([
    'heap table "shop.public.""odd"" name": attribute with length 12 ends at offset 44 beyond total tuple length 40',
    'btree index "shop.public.by_name": item order invariant violated for index "by_name"',
  ]);
});

describe('pg_checksums', () => {
  const objects = new Map([['base/16384/16385', 'database shop, table public.orders']]);

  test('names block and table, also in a later segment or another fork of the file', () => {
    const log = ['16385', '16385.1', '16385_vm', '999']
      .map(
        (file, block) =>
          `pg_checksums: error: checksum verification failed in file "/data/base/16384/${file}", block ${block}: calculated checksum 1 but block contains 2`,
      )
      .join('\n');
    const { outcome, message } = answerOf(1, log, objects);
    expect(outcome).toBe('Failed');
    expect(message).toMatch(
      /^4 blocks have a wrong checksum: base\/16384\/16385 \(database shop, table public.orders\), block 0; base\/16384\/16385\.1 \(database shop, table public.orders\), block 1; base\/16384\/16385_vm \(database/,
    );
  });

  test('that is not there, or could not look, is skipped in so many words', () => {
    expect(answerOf(127, '', objects)).toMatchObject({
      outcome: 'Skipped',
      message: expect.stringMatching(/no pg_checksums/),
    });
    expect(answerOf(1, 'pg_checksums: error: cluster must be shut down\n', objects)).toMatchObject({
      outcome: 'Skipped',
      message: expect.stringMatching(/cluster must be shut down/),
    });
    expect(answerOf(0, 'Blocks scanned:  963\n', objects)).toEqual({
      outcome: 'Passed',
      message: '963 blocks have the right checksum.',
    });
  });
});

test('pg_dump’s errors are told in its own words', () => {
  const said =
    'pg_dump: warning: no\npg_dump: error: Dumping the contents of table "t" failed: PQgetResult() failed.\npg_dump: detail: Error message from server: ERROR:  invalid page in block 0\n';
  expect(firstErrors(said)).toBe(
    'Dumping the contents of table "t" failed: PQgetResult() failed.; detail: Error message from server: ERROR:  invalid page in block 0',
  );
});

test('a server that went away is no finding', () => {
  expect(() => requireServer('server closed the connection unexpectedly', 'pg_dump', 'shop')).toThrow(/went away/);
  expect(() => requireServer('invalid page in block 0', 'pg_dump', 'shop')).not.toThrow();
});

test('every answer is told when it is there, and what failed is one failure', async () => {
  const told: unknown[] = [];
  const list = createCheckList({ facts: async (more) => void told.push(more) }, { info: () => undefined });
  await list.ask('Amcheck', async () => ({ outcome: 'Skipped', message: 'no amcheck.' }));
  expect(failureOf(list.results(), 'b')).toBeUndefined();
  expect(skippedWords(list.results())).toBe(' Amcheck was skipped: no amcheck.');
  await list.ask('Assertions', async () => ({ outcome: 'Failed', message: 'gave 1.' }));
  expect(failureOf(list.results(), 'b')).toMatchObject({ reason: 'AssertionFailed', retryable: false });
  await list.ask('Dump', async () => ({ outcome: 'Failed', message: 'table t.' }));
  expect(failureOf(list.results(), 'b')).toMatchObject({
    reason: 'VerificationFailed',
    message: 'Backup b did not pass. Assertions: gave 1. Dump: table t.',
  });
  expect(told).toHaveLength(3);
  await expect(list.ask('Dump', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(list.results()).toHaveLength(3);
});
