import { afterEach, beforeEach, expect, test } from 'vitest';
import { rememberedWal } from '../../../../src/agent/watch-wal/remember.ts';
import type { WatchWalTask } from '../../../../src/domain/task.ts';
import { FakeApiServer } from '../../../support/fake-api-server.ts';

const task = { namespace: 'shop', policy: { name: 'orders', uid: 'one' } } as WatchWalTask;
const wal = { systemIdentifier: '7312000000000000001', timeline: 2 };
const { signal } = new AbortController();
let server: FakeApiServer;

beforeEach(async () => {
  server = await FakeApiServer.start();
});

afterEach(() => server.close());

const answerWith = (uid: string, status?: object) => {
  server.answer = () => ({
    status: 200,
    body: { kind: 'BackupPolicy', metadata: { name: 'orders', namespace: 'shop', uid }, status },
  });
};
const remembered = () => rememberedWal(server.client(), task, signal);

test('a new watcher knows what the one before has said of the policy', async () => {
  answerWith('one', { wal });
  expect(await remembered()).toEqual(wal);
  expect(server.asked[0]?.url.pathname).toBe('/apis/tidemark.dev/v1alpha1/namespaces/shop/backuppolicies/orders');
});

test.each<[string, () => void]>([
  ['of another policy that had the name', () => answerWith('another', { wal })],
  ['where nothing was said yet', () => answerWith('one', {})],
  ['where the policy has no status', () => answerWith('one')],
  ['where the policy is gone', () => {}],
])('nothing is known %s', async (_, given) => {
  given();
  expect(await remembered()).toBeUndefined();
});

test('outside of a cluster there is nothing to remember', async () => {
  expect(await rememberedWal(undefined, task, signal)).toBeUndefined();
});

test('an API server that fails is told from an empty memory', async () => {
  server.answer = () => ({ status: 403, body: { kind: 'Status', code: 403, reason: 'Forbidden', message: 'no' } });
  await expect(remembered()).rejects.toThrow(/no/);
});
