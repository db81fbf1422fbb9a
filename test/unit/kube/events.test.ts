import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KubeClient } from '../../../src/kube/client.ts';
import { EventRecorder } from '../../../src/kube/events.ts';
import type { Log } from '../../../src/kube/log.ts';
import { type Asked, FakeApiServer, status } from '../../support/fake-api-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const object = {
  apiVersion: 'tidemark.dev/v1alpha1',
  kind: 'BackupRun',
  metadata: { name: 'nightly', namespace: 'shop', uid: 'u-1', resourceVersion: '7' },
};
const note = { type: 'Normal', reason: 'Started', action: 'Backup', note: 'The backup has started.' } as const;

let server: FakeApiServer;
let client: KubeClient;
let clock: FakeClock;
let warnings: string[];
let recorder: EventRecorder;
beforeEach(async () => {
  server = await FakeApiServer.start();
  server.answer = () => ({ status: 201, body: {} });
  client = server.client();
  clock = new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 6));
  warnings = [];
  const log: Log = { debug() {}, info() {}, warn: (_, message) => warnings.push(message), error() {} };
  recorder = new EventRecorder({ client, instance: 'operator-x', clock, log });
});
afterEach(async () => {
  await client.close();
  await server.close();
});

const bodies = () => server.asked.map(({ body }) => body as Record<string, unknown> & { readonly note: string });
const methods = () => server.asked.map(({ method }) => method);

test('writes an Event of events.k8s.io, in the namespace of its object', async () => {
  await recorder.record(object, note);
  expect(server.asked[0]?.url.pathname).toBe('/apis/events.k8s.io/v1/namespaces/shop/events');
  expect(bodies()).toEqual([
    {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: expect.stringMatching(/^nightly\.[0-9a-f]{16}$/), namespace: 'shop' },
      eventTime: '2026-01-02T03:04:05.006000Z',
      reportingController: 'tidemark.dev/operator',
      reportingInstance: 'operator-x',
      ...note,
      regarding: { apiVersion: object.apiVersion, kind: 'BackupRun', name: 'nightly', namespace: 'shop', uid: 'u-1' },
    },
  ]);
});

test('counts the same words about the same object, also when they come at once', async () => {
  await Promise.all([1, 2, 3].map(() => recorder.record(object, note)));
  await recorder.record(object, { ...note, note: 'Other words.' });
  expect(methods()).toEqual(['POST', 'PATCH', 'PATCH', 'POST']);
  expect(bodies().slice(1, 3)).toEqual([
    { series: { count: 2, lastObservedTime: '2026-01-02T03:04:05.006000Z' } },
    { series: { count: 3, lastObservedTime: '2026-01-02T03:04:05.006000Z' } },
  ]);
});

test('writes an Event anew that the API server has forgotten', async () => {
  await recorder.record(object, note);
  server.answer = ({ method }: Asked) =>
    method === 'PATCH' ? { status: 404, body: status(404, 'NotFound', 'no') } : { status: 201, body: {} };
  await recorder.record(object, note);
  expect([methods(), warnings]).toEqual([['POST', 'PATCH', 'POST'], []]);
});

test('goes on counting where an earlier leader has written the Event', async () => {
  server.answer = ({ method }: Asked) =>
    method === 'POST' ? { status: 409, body: status(409, 'AlreadyExists', 'there') } : { status: 200, body: {} };
  await recorder.record(object, note);
  await recorder.record(object, note);
  expect([methods(), warnings]).toEqual([['POST', 'PATCH'], []]);
});

test('never fails, and tries again the next time', async () => {
  server.answer = () => ({ status: 403, body: status(403, 'Forbidden', 'no') });
  await recorder.record(object, note);
  expect(warnings).toEqual(['An Event could not be written']);
  server.answer = () => ({ status: 201, body: {} });
  await recorder.record(object, note);
  expect([methods(), warnings.length]).toEqual([['POST', 'POST'], 1]);
});

test('cuts a note to 1024 bytes, and no character in two', async () => {
  for (const words of ['é'.repeat(512), 'é'.repeat(513), `x${'é'.repeat(1000)}`, '🐘'.repeat(300)])
    await recorder.record(object, { ...note, note: words });
  const notes = bodies().map((body) => body.note);
  expect(notes.map((text) => Buffer.byteLength(text))).toEqual([1024, 1023, 1024, 1023]);
  expect(notes.map((text) => text.endsWith('…'))).toEqual([false, true, true, true]);
  expect(notes.some((text) => text.includes('\uFFFD'))).toBe(false);
});
