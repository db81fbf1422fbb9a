import { afterAll, beforeAll, expect, test } from 'vitest';
import { selfSignedCertificate } from '../../support/s3/certificate.ts';
import { type Certificate, type FaultyServer, startFaultyServer } from '../../support/s3/faulty-server.ts';
import { openS3, shortTimings } from '../../support/s3/open.ts';

const options = { signal: new AbortController().signal };

let certificate: Certificate;
let server: FaultyServer;
beforeAll(async () => {
  certificate = await selfSignedCertificate();
  server = await startFaultyServer(() => ({ status: 200, body: 'content' }), certificate);
});
afterAll(() => server.stop());

test('a store with a certificate that nobody knows is not trusted, and told as that at once', async () => {
  const store = openS3({ ...server, bucket: 'backups' });
  await expect(store.get('a', options)).rejects.toMatchObject({
    reason: 'UntrustedCertificate',
    retryable: false,
    message: expect.stringContaining('caBundleSecretRef'),
  });
  expect(server.seen).toEqual([]);
  await store.close();
});

test('a store whose authority is given is trusted', async () => {
  const store = openS3({ ...server, bucket: 'backups', ca: certificate.cert });
  expect((await store.get('a', options)).toString()).toBe('content');
  await store.close();
});

test('https where plain HTTP is spoken is told as that', async () => {
  const plain = await startFaultyServer(() => ({ status: 200 }));
  const store = openS3({ endpoint: plain.endpoint.replace('http:', 'https:'), bucket: 'backups' }, shortTimings);
  await expect(store.get('a', options)).rejects.toMatchObject({ reason: 'WrongProtocol', retryable: false });
  await store.close();
  await plain.stop();
});
