import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ActionContext, ActionOutcome } from '../../../../src/agent/action.ts';
import { tellingVerdict } from '../../../../src/agent/verify/tell-verdict.ts';
import { backupRepositorySpec } from '../../../../src/api/backup-repository.ts';
import { terminal, transient } from '../../../../src/domain/failure.ts';
import { mounts } from '../../../../src/domain/mounts.ts';
import type { RecoverTask } from '../../../../src/domain/task.ts';
import { openStore } from '../../../../src/repository/open.ts';
import { readVerdict } from '../../../../src/repository/verdicts.ts';

const path = 'shop/orders/7000000000000000001/backups/20261121T011500Z-physical-full';
const signal = AbortSignal.timeout(120_000);
let mountRoot: string;
let folder: string;
const repository = (more = {}) => ({
  name: 'local-disk',
  spec: backupRepositorySpec.parse({ volume: { claimName: 'backups', path: 'here' }, ...more }),
});

beforeEach(async () => {
  mountRoot = await mkdtemp(join(tmpdir(), 'tidemark-verdict-'));
  folder = join(mountRoot, mounts.repository.volume(0), 'here', path);
  await mkdir(folder, { recursive: true });
});
afterEach(() => rm(mountRoot, { recursive: true, force: true }));

const good: ActionOutcome = { reason: 'TargetReached', message: 'Recovered.' };

async function verify(
  end: () => Promise<ActionOutcome>,
  {
    verdict = { partial: false },
    more = {},
  }: { readonly verdict?: RecoverTask['verdict'] | null; readonly more?: object } = {},
) {
  const context = {
    task: { action: 'recover', namespace: 'shop', ...(verdict === null ? {} : { verdict }) },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    reporter: { progress: () => undefined, facts: async () => undefined, finish: async () => undefined },
    signal,
  } as unknown as ActionContext<RecoverTask>;
  const place = { repository: repository(more), path, by: 'orders-verify-1', mountRoot };
  const told = await tellingVerdict(context, place, async (reporter) => {
    await reporter.facts({ measured: { rtoSeconds: 7 } });
    return end();
  }).catch((error: unknown) => error as Error);
  const store = await openStore(repository(), 0, { mountRoot });
  const stored = await readVerdict(store, path, signal).catch(() => undefined);
  await store.close();
  return { told, stored };
}

const found = { time: expect.any(String), by: 'orders-verify-1', namespace: 'shop' };

it('tells the repository what is good and what is bad, and that it is good after all', async () => {
  const bad = async () => {
    throw terminal('AssertionFailed', 'There are no orders.');
  };
  const first = await verify(bad);
  expect(first.told).toMatchObject({ reason: 'AssertionFailed', message: 'There are no orders.', retryable: false });
  const why = { reason: 'AssertionFailed', message: 'There are no orders.' };
  expect(first.stored).toEqual({ outcome: 'Bad', found: { ...found, ...why } });
  const second = await verify(async () => good);
  expect(second).toEqual({ told: good, stored: { outcome: 'Good', found: { ...found, restoreSeconds: 7 } } });
  expect(await readdir(folder)).toEqual(['verified.json']);
});

it('tells nothing that was not found out', async () => {
  const ends: readonly (() => Promise<ActionOutcome>)[] = [
    async () => {
      throw terminal('StoreUnreachable', 'away');
    },
    async () => {
      throw transient('CorruptedBackup', 'the next attempt tries again');
    },
    async () => {
      throw new Error('unforeseen');
    },
    // Its bytes were not all of it.
    async () => ({ ...good, elsewhere: true }),
  ];
  for (const end of ends) expect((await verify(end)).stored).toBeUndefined();
  const toolFailed = async () => {
    throw terminal('ToolFailed', 'a reference into what is not in the dump');
  };
  expect((await verify(toolFailed, { verdict: { partial: true } })).stored).toBeUndefined();
  expect((await verify(async () => good, { verdict: null })).stored).toBeUndefined();
  expect(await readdir(folder)).toEqual([]);
  expect((await verify(toolFailed)).stored).toMatchObject({ outcome: 'Bad' });
});

it('says so where the repository cannot be told', async () => {
  const readOnly = await verify(async () => good, { more: { accessMode: 'ReadOnly' } });
  expect(readOnly.told.message).toMatch(/local-disk has accessMode: ReadOnly, so that its BackupRun alone knows/);
  expect(readOnly.stored).toBeUndefined();
  await rm(folder, { recursive: true });
  await writeFile(folder, 'no folder');
  const refused = await verify(async () => {
    throw terminal('VerificationFailed', 'Amcheck: damaged.');
  });
  expect(refused.told).toMatchObject({ reason: 'VerificationFailed' });
  expect(refused.told.message).toMatch(
    /^Amcheck: damaged\. It could not be told to the repository, so that its BackupRun alone knows that it was found bad\./,
  );
});
