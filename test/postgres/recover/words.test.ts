import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { recover } from './recovery.ts';
import { createSource, planFor, type Source, taskFor } from './source.ts';

let source: Source;
let manifest: PhysicalManifest;
let end: string;
let dataDirectory: string;

beforeAll(async () => {
  source = await createSource();
  dataDirectory = join(source.root, 'recovered');
  await source.server.psql("CREATE TABLE status (said text); INSERT INTO status VALUES ('new')");
  manifest = await source.backUp();
  await source.server.psql("UPDATE status SET said = 'four'");
  end = await source.ship();
}, 60_000);
afterAll(() => source?.remove());

describe('a recovery says', () => {
  it('that the target was not reached, and the last moment that can be', async () => {
    const target = { targetTime: new Date(Date.now() + 3_600_000).toISOString() };
    const found = await recover(source, taskFor(planFor(manifest, end), target, dataDirectory));
    expect(found.failure).toMatchObject({ reason: 'TargetNotReached', retryable: false });
    expect(found.failure?.message).toMatch(/the last transaction that could be replayed was committed at 20/);
    await expect(access(dataDirectory)).rejects.toThrow();
  });

  it('which answer was another than expected', async () => {
    const assertions = [{ database: 'postgres', query: 'SELECT said FROM status', expect: 'five' }];
    const found = await recover(source, taskFor(planFor(manifest, end), {}, dataDirectory, { assertions }));
    expect(found.failure).toMatchObject({ reason: 'AssertionFailed' });
    expect(found.status).toMatchObject({ assertions: [{ got: 'four', passed: false }] });
    await expect(access(dataDirectory)).rejects.toThrow();
  });

  it('nothing but that it was cancelled, and leaves nothing', async () => {
    const found = await recover(source, taskFor(planFor(manifest, end), {}, dataDirectory), {
      meanwhile: async ({ folder, agent }) => {
        while (!(await readdir(folder)).includes('started')) await delay(20);
        agent();
      },
    });
    expect(found.failure).toMatchObject({ reason: 'Cancelled' });
    await expect(access(dataDirectory)).rejects.toThrow();
  });
});
