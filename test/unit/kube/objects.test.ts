import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiError, isConflict, isInvalid, isNotFound } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { apply, applyStatus, createIfAbsent, patchFinalizers, read, remove } from '../../../src/kube/objects.ts';
import { type Asked, FakeApiServer, status } from '../../support/fake-api-server.ts';

const { signal } = new AbortController();
const path = '/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns/nightly';
const metadata = { name: 'nightly', namespace: 'shop', uid: 'u-1', resourceVersion: '7' };
const run = { apiVersion: 'tidemark.dev/v1alpha1', kind: 'BackupRun', metadata };

let server: FakeApiServer;
let client: KubeClient;
beforeEach(async () => {
  server = await FakeApiServer.start();
  server.answer = () => ({ status: 200, body: run });
  client = server.client();
});
afterEach(async () => {
  await client.close();
  await server.close();
});

function asked(): Asked {
  return server.asked.at(-1) ?? expect.fail('nothing was asked');
}

function refuse(code: number, reason: string, causes?: readonly object[]): void {
  const body = { ...status(code, reason, 'no'), ...(causes === undefined ? {} : { details: { causes } }) };
  server.answer = () => ({ status: code, body });
}

test('read gives the object, or undefined where there is none', async () => {
  expect(await read(client, 'BackupRun', 'shop', 'nightly', signal)).toEqual(run);
  refuse(404, 'NotFound');
  expect(await read(client, 'BackupRun', 'shop', 'nightly', signal)).toBeUndefined();
  refuse(403, 'Forbidden');
  await expect(read(client, 'BackupRun', 'shop', 'nightly', signal)).rejects.toBeInstanceOf(ApiError);
});

test('apply and applyStatus are forced server-side applies under the field manager', async () => {
  const object = { ...run, metadata: { name: 'nightly', namespace: 'shop' }, spec: { x: 1 } };
  await apply(client, object, 'someone', signal);
  expect(asked()).toMatchObject({ method: 'PATCH', body: object });
  expect(asked().headers['content-type']).toBe('application/apply-patch+yaml');
  expect(`${asked().url.pathname}${asked().url.search}`).toBe(`${path}?fieldManager=someone&force=true`);
  await applyStatus(client, object, 'someone', signal);
  expect(asked().url.pathname).toBe(`${path}/status`);
});

test('applyStatus creates nothing, and tells an absent object from one that was replaced and from a refusal', async () => {
  refuse(404, 'NotFound');
  expect(await applyStatus(client, run, 'someone', signal).catch(isNotFound)).toBe(true);
  refuse(422, 'Invalid', [{ field: 'metadata.uid' }]);
  expect(await applyStatus(client, run, 'someone', signal).catch(isConflict)).toBe(true);
  refuse(422, 'Invalid', [{ field: 'status.phase' }]);
  expect(await applyStatus(client, run, 'someone', signal).catch(isInvalid)).toBe(true);
  expect(server.asked.every(({ method }) => method === 'PATCH')).toBe(true);
});

test('createIfAbsent leaves what is there', async () => {
  expect(await createIfAbsent(client, run, 'someone', signal)).toBe(true);
  expect(asked()).toMatchObject({ method: 'POST', body: run });
  refuse(409, 'AlreadyExists');
  expect(await createIfAbsent(client, run, 'someone', signal)).toBe(false);
});

test('remove deletes the very object that was looked at, or nothing', async () => {
  await remove(client, { kind: 'BackupRun', namespace: 'shop', name: 'nightly', uid: 'u-1' }, signal);
  expect(asked()).toMatchObject({
    method: 'DELETE',
    body: { propagationPolicy: 'Background', preconditions: { uid: 'u-1' } },
  });
  refuse(404, 'NotFound');
  const foreground = {
    kind: 'BackupRun',
    namespace: 'shop',
    name: 'nightly',
    uid: 'u-1',
    propagationPolicy: 'Foreground',
  };
  await remove(client, { ...foreground, propagationPolicy: 'Foreground' }, signal);
  expect(asked()).toMatchObject({ body: { propagationPolicy: 'Foreground' } });
  refuse(409, 'Conflict');
  expect(await remove(client, { ...foreground, propagationPolicy: 'Orphan' }, signal).catch(isConflict)).toBe(true);
});

test('patchFinalizers changes them only where the object is as it was looked at', async () => {
  await patchFinalizers(client, run, ['tidemark.dev/x'], signal);
  const tests = [
    { op: 'test', path: '/metadata/uid', value: 'u-1' },
    { op: 'test', path: '/metadata/resourceVersion', value: '7' },
  ];
  const add = { op: 'add', path: '/metadata/finalizers', value: ['tidemark.dev/x'] };
  expect(asked()).toMatchObject({ method: 'PATCH', body: [...tests, add] });
  await patchFinalizers(client, { ...run, metadata: { ...metadata, finalizers: ['a.b/c'] } }, [], signal);
  expect(asked()).toMatchObject({ body: [...tests, { op: 'remove', path: '/metadata/finalizers' }] });
  refuse(422, 'Invalid');
  expect(await patchFinalizers(client, run, ['a.b/c'], signal).catch(isConflict)).toBe(true);
  refuse(422, 'Invalid', [{ field: 'metadata.finalizers' }]);
  expect(await patchFinalizers(client, run, ['nonsense '], signal).catch(isInvalid)).toBe(true);
  refuse(404, 'NotFound');
  await patchFinalizers(client, run, ['a.b/c'], signal);
});

test('patchFinalizers asks nothing where there is nothing to take away', async () => {
  await patchFinalizers(client, run, [], signal);
  expect(server.asked).toEqual([]);
});
