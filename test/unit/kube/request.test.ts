import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiError, ApiUnreachable } from '../../../src/kube/api-error.ts';
import { FakeApiServer, type Fault } from '../../support/fake-api-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let server: FakeApiServer;
beforeEach(async () => {
  server = await FakeApiServer.start();
  server.answer = () => ({ status: 200, body: { answered: true } });
});
afterEach(async () => {
  await server.close();
});

const job = '/apis/batch/v1/namespaces/shop/jobs/nightly';

describe('a call', () => {
  test('carries credentials, query and body, and gives the parsed answer', async () => {
    const client = server.client();
    const query = { fieldManager: 'a b', force: true, limit: undefined };
    const contentType = 'application/apply-patch+yaml';
    const answer = await client.request('PATCH', job, { body: { x: 1 }, query, contentType });
    expect(answer).toEqual({ answered: true });
    expect(server.asked).toHaveLength(1);
    const [{ method, url, headers, body } = fail()] = server.asked;
    expect([method, url.pathname, url.search, body]).toEqual(['PATCH', job, '?fieldManager=a+b&force=true', { x: 1 }]);
    expect(headers).toMatchObject({ authorization: 'Bearer token', 'content-type': contentType });
    await client.close();
  });

  test('uses connections again', async () => {
    const client = server.client();
    for (let count = 0; count < 20; count += 1) await client.request('GET', job);
    // A connection is free again a moment after its answer was read.
    expect(server.connections).toBeLessThanOrEqual(2);
    await client.close();
  });

  test('goes through while more watches are open than calls may have connections', async () => {
    const client = server.client();
    const stop = new AbortController();
    const watching = Array.from({ length: 40 }, async () => {
      for await (const _ of client.watch(server.path, { resourceVersion: '100' }, stop.signal));
    });
    await expect.poll(() => server.openWatches).toBe(40);
    expect(await client.request('GET', job)).toEqual({ answered: true });
    stop.abort(new Error('enough'));
    expect(await Promise.allSettled(watching)).toEqual(
      watching.map(() => ({ status: 'rejected', reason: new Error('enough') })),
    );
    await client.close();
  });

  test('that is refused says what was asked and what the API server said, in one line', async () => {
    const client = server.client();
    const details = { causes: [{ field: 'spec.x', message: 'is wrong' }] };
    const body = JSON.stringify({ kind: 'Status', reason: 'Invalid', message: 'two\n  lines', details });
    server.fail({ status: 422, body });
    const refusal = await client.request('POST', job, { body: {} }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ApiError);
    expect(refusal).toMatchObject({ status: 422, reason: 'Invalid', details, message: `POST ${job}: two lines` });
    await client.close();
  });

  test.each<[string, Fault[]]>([
    ['an overloaded server', [{ status: 429, retryAfter: 1 }, { status: 503 }]],
    ['a reset', ['reset', 'reset']],
    ['an answer that broke off', ['truncate']],
  ])('that reads or applies is repeated after %s', async (_, faults) => {
    const clock = new FakeClock();
    const client = server.client(clock);
    for (const options of [{}, { body: {}, contentType: 'application/apply-patch+yaml' } as const]) {
      server.fail(...faults);
      let answer: unknown;
      const asking = client.request('body' in options ? 'PATCH' : 'GET', job, options).then((given) => {
        answer = given;
      });
      await clock.until(() => answer !== undefined);
      await asking;
      expect(answer).toEqual({ answered: true });
    }
    expect(server.asked).toHaveLength(2 * (faults.length + 1));
    await client.close();
  });

  test.each<[string, Fault]>([
    ['503', { status: 503, retryAfter: 7 }],
    ['reset', 'reset'],
  ])('that writes otherwise is never repeated (%s)', async (_, fault) => {
    const client = server.client();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'] as const) {
      server.fail(fault);
      const contentType = 'application/merge-patch+json';
      const error = await client.request(method, job, { body: {}, contentType }).catch((thrown: unknown) => thrown);
      if (fault === 'reset') expect(error).toBeInstanceOf(ApiUnreachable);
      else expect(error).toMatchObject({ status: 503, retryAfterSeconds: 7 });
    }
    expect(server.asked).toHaveLength(4);
    await client.close();
  });

  test('that writes otherwise is repeated where the server has not even looked at it (429)', async () => {
    const clock = new FakeClock();
    const client = server.client(clock);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'] as const) {
      server.fail({ status: 429, retryAfter: 1 }, { status: 429 });
      let answer: unknown;
      const contentType = 'application/merge-patch+json';
      const asking = client.request(method, job, { body: {}, contentType }).then((given) => {
        answer = given;
      });
      await clock.until(() => answer !== undefined);
      await asking;
    }
    expect(server.asked).toHaveLength(12);
    await client.close();
  });

  test('is not repeated where the server asks for more patience than the call has', async () => {
    const client = server.client();
    server.fail({ status: 429, retryAfter: 60 });
    await expect(client.request('GET', job)).rejects.toMatchObject({ status: 429, retryAfterSeconds: 60 });
    expect(server.asked).toHaveLength(1);
    await client.close();
  });

  test('that hangs ends with its time-out, and says so', async () => {
    const client = server.client();
    server.fail('hang');
    const error = await client.request('GET', job, { timeout: 50 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiUnreachable);
    expect(error).toMatchObject({ message: expect.stringContaining('did not answer in time') });
    await client.close();
  });

  test("ends with the caller's signal, and with its reason", async () => {
    const client = server.client();
    server.fail('hang');
    const stop = new AbortController();
    const asking = client.request('GET', job, { signal: stop.signal });
    await expect.poll(() => server.asked.length).toBe(1);
    stop.abort(new Error('no longer wanted'));
    await expect(asking).rejects.toThrow('no longer wanted');
    await client.close();
  });

  test('to a server that is not there is unreachable, with the reason', async () => {
    const client = server.client();
    await server.close();
    const error = await client.request('POST', job, { body: {} }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiUnreachable);
    expect(error).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') });
    server = await FakeApiServer.start();
    await client.close();
  });
});

test('a watch on which nothing is said for too long ends', async () => {
  const client = server.client(undefined, 1000);
  for await (const event of client.watch(server.path, { resourceVersion: '100' }, new AbortController().signal))
    throw new Error(`heard ${event.type}`);
  expect(server.openWatches).toBe(0);
  await client.close();
});

function fail(): never {
  throw new Error('nothing was asked');
}
