import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HttpServer, serveHttp } from '../../../src/observability/http.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';

let server: HttpServer;
let reasons: { notReady?: string; notAlive?: string };

beforeEach(async () => {
  reasons = {};
  server = await serveHttp({
    port: 0,
    registry: createMetrics().registry,
    notReady: () => reasons.notReady,
    notAlive: () => reasons.notAlive,
  });
});
afterEach(() => server.close());

const get = async (path: string) => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
};

test.each(['/livez', '/readyz', '/readyz?verbose'])('%s answers 200 while all is well', async (path) => {
  expect(await get(path)).toMatchObject({ status: 200, text: 'ok\n' });
});

test('the probes are apart, and say why', async () => {
  reasons.notReady = 'the caches are not filled yet';
  expect(await get('/readyz')).toMatchObject({ status: 503, text: 'the caches are not filled yet\n' });
  expect(await get('/livez')).toMatchObject({ status: 200 });
  reasons = { notAlive: 'a watch has failed for ten minutes' };
  expect(await get('/livez')).toMatchObject({ status: 503, text: 'a watch has failed for ten minutes\n' });
  expect(await get('/readyz')).toMatchObject({ status: 200 });
});

test('/metrics speaks Prometheus, anything else is 404', async () => {
  const metrics = await get('/metrics');
  expect(metrics.type).toContain('text/plain');
  expect(metrics.text).toContain('# TYPE tidemark_reconcile_total counter');
  expect(await get('/')).toMatchObject({ status: 404 });
});

test('a port that is taken is an error, not silence', async () => {
  const again = serveHttp({
    port: server.port,
    registry: createMetrics().registry,
    notReady: () => undefined,
    notAlive: () => undefined,
  });
  await expect(again).rejects.toThrow(/EADDRINUSE/);
});
