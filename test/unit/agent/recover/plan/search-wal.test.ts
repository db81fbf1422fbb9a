import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ReadFacts, WalReader } from '../../../../../src/agent/recover/plan/read-wal.ts';
import { findStop, readEnd } from '../../../../../src/agent/recover/plan/search-wal.ts';

const readerOf = (commits: readonly (number | undefined)[], beats: readonly (number | undefined)[] = []) => {
  let reads = 0;
  const known = new Set<string>();
  const reader: WalReader = {
    read: async (name): Promise<ReadFacts> => {
      if (!known.has(name)) reads += 1;
      known.add(name);
      const lastCommit = commits[Number(name)];
      return {
        lastCommit,
        restorePoints: [],
        heartbeatSeconds: beats[Number(name)],
        endOfRecords: BigInt(name),
        lastRecord: BigInt(name),
      };
    },
  };
  return { reader, reads: () => reads };
};
const walOf = (count: number) => ({
  segments: Array.from({ length: count }, (_, index) => String(index)),
  end: 1n,
  missing: undefined,
});

it('finds the first segment with a commit after the moment, whichever have none', async () => {
  const commits = fc.array(fc.option(fc.nat(1000), { nil: undefined }), { minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(commits, fc.nat(1000), async (some, time) => {
      let highest = 0;
      const grown = some.map((commit) => {
        if (commit !== undefined) highest = Math.max(highest, commit);
        return commit === undefined ? undefined : highest;
      });
      const found = await findStop(walOf(grown.length), readerOf(grown).reader, (commit) => commit > time);
      const wanted = grown.findIndex((commit) => commit !== undefined && commit > time);
      expect(found).toEqual(
        wanted === -1 ? undefined : expect.objectContaining({ name: String(wanted), commit: grown[wanted] }),
      );
    }),
  );
});

it('reads few segments to find a moment among many', async () => {
  const { reader, reads } = readerOf(Array.from({ length: 1000 }, (_, index) => index));
  expect(await findStop(walOf(1000), reader, (commit) => commit > 700)).toMatchObject({ name: '701' });
  expect(reads()).toBeLessThanOrEqual(10);
});

it('reads backwards for the last commit, and keeps where the records end', async () => {
  const { reader } = readerOf([5, 7, undefined, undefined, undefined, undefined, undefined]);
  expect(await readEnd(walOf(7), reader)).toEqual({ endOfRecords: 6n, lastRecord: 6n, lastCommit: 7 });
  expect((await readEnd(walOf(0), reader)).lastCommit).toBeUndefined();
});

it('looks for a heartbeat only where it is asked to, and not far', async () => {
  const commits = Array.from({ length: 12 }, (_, index) => index);
  const beats = commits.map((index) => (index === 8 ? 10 : undefined));
  const asked = readerOf(commits, beats);
  expect(await readEnd(walOf(12), asked.reader, true)).toMatchObject({ lastCommit: 11, heartbeatSeconds: 10 });
  expect(asked.reads()).toBe(4);
  const unasked = readerOf(commits, beats);
  expect(await readEnd(walOf(12), unasked.reader)).not.toHaveProperty('heartbeatSeconds');
  expect(unasked.reads()).toBe(1);
  const none = readerOf(commits);
  expect((await readEnd(walOf(12), none.reader, true)).heartbeatSeconds).toBeUndefined();
  expect(none.reads()).toBe(5);
});
