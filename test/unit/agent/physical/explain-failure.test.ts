import { expect, it } from 'vitest';
import { explainFailure } from '../../../../src/agent/physical/explain-failure.ts';
import { transient } from '../../../../src/domain/failure.ts';
import type { ChosenServer } from '../../../../src/postgres/choose-server.ts';

const server = {
  access: { host: 'orders-db', port: 5432 },
  facts: { role: 'Primary' },
} as unknown as ChosenServer;

it('knows WAL that was removed too early by the routine, in whatever language it is told', async () => {
  const cause = Object.assign(new Error('das angeforderte WAL-Segment wurde bereits entfernt'), {
    code: '58P01',
    routine: 'CheckXLogRemoved',
  });
  const explained = await explainFailure(transient('QueryFailed', 'it failed', cause), server, [], 'postgres');
  expect(explained).toMatchObject({ reason: 'WalRemoved', retryable: true });
  expect(String(explained)).toMatch(/orders-db:5432 .* Use walMethod Archive or Stream/);
});

it('leaves what it does not know as it is', async () => {
  const cause = Object.assign(new Error('could not open file'), { code: '58P01', routine: 'BasicOpenFilePerm' });
  const failure = transient('QueryFailed', 'it failed', cause);
  expect(await explainFailure(failure, server, [], 'postgres')).toBe(failure);
});
