import { expect, test } from 'vitest';
import { inWordsOfExtract } from '../../../../../src/agent/recover/run/choose-extracted.ts';
import { type Failure, terminal } from '../../../../../src/domain/failure.ts';

const place = { index: 1, name: 'shop' };

test('advice that names fields of a restore is given anew', () => {
  const failure = terminal('TargetExists', 'Database shop already has a. Nothing was changed. Set onConflict: Clean.');
  expect(inWordsOfExtract(failure, place, [])).toMatchObject({
    reason: 'TargetExists',
    retryable: false,
    message:
      'extract.databases[1] (shop): Database shop already has a. Nothing was changed in the live server. Copy into another database (extract.databases[1].targetName), choose only the tables that are missing (extract.databases[1].tables.include), or rename or drop in the live server what is to be replaced.',
  });
});

test('advice about the server is kept, and what was copied before is said', () => {
  const absent = terminal('ExtensionNotAvailable', 'It lacks hstore. Nothing was changed. Install the package.');
  expect((inWordsOfExtract(absent, place, []) as Failure).message).toBe(
    'extract.databases[1] (shop): It lacks hstore. Nothing was changed in the live server. Install the package.',
  );
  const broken = terminal('DiskFull', 'The disk of db is full. Make room.');
  expect((inWordsOfExtract(broken, place, ['orders', 'stock']) as Failure).message).toBe(
    'extract.databases[1] (shop): The disk of db is full. Make room. Before it, orders, stock had been copied; that stays.',
  );
});

test('what is no failure of ours stays what it is', () => {
  const error = new TypeError('a defect');
  expect(inWordsOfExtract(error, place, [])).toBe(error);
});
