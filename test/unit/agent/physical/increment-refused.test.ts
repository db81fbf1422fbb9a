import { expect, it } from 'vitest';
import { asRefusal, asRefusedList, IncrementRefused } from '../../../../src/agent/physical/increment-refused.ts';
import { Failure } from '../../../../src/domain/failure.ts';

const said = (routine: string, code: string, retryable = false, reason = 'QueryFailed') =>
  new Failure(reason, 'It failed.', {
    retryable,
    cause: Object.assign(new Error('in the words of the server'), { routine, code }),
  });
const reasonOf = (error: unknown) => (error instanceof IncrementRefused ? error.forced.reason : undefined);

it.each([
  ['PrepareForIncrementalBackup', '55000', 'SummariesGone'],
  ['WaitForWalSummarization', '55000', 'SummariesLate'],
  ['parse_basebackup_options', '55000', 'SummarizeWalOff'],
  ['parse_basebackup_options', '42601', undefined],
  ['perform_base_backup', '55000', undefined],
  ['toString', '55000', undefined],
])('%s with %s means %s', (routine, code, reason) => {
  const error = said(routine, code);
  expect(reasonOf(asRefusal(error))).toBe(reason);
  if (reason === undefined) expect(asRefusal(error)).toBe(error);
});

it('a list that the server does not take makes a full backup, a broken connection or a missing right does not', () => {
  expect(reasonOf(asRefusedList(said('manifest_process_system_identifier', '22023')))).toBe('ParentUnreadable');
  expect(reasonOf(asRefusedList(said('x', '57P01', true)))).toBeUndefined();
  expect(reasonOf(asRefusedList(said('x', '42501', false, 'PermissionDenied')))).toBeUndefined();
  expect(reasonOf(asRefusedList(new Error('something else')))).toBeUndefined();
});
