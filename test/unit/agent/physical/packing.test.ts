import { expect, it } from 'vitest';
import { afterRefusal, packingsFor } from '../../../../src/agent/physical/packing.ts';
import { partTarget } from '../../../../src/agent/physical/part-target.ts';
import { transient } from '../../../../src/domain/failure.ts';

const mebibyte = 1024 ** 2;
const zstd = { algorithm: 'zstd', level: 5 } as const;
const refusal = (code: string) =>
  transient('QueryFailed', 'The server refused.', Object.assign(new Error('in its own language'), { code }));

it('the agent packs where the policy has it so', () => {
  expect(packingsFor({ compress: 'Client' }, zstd, { major: 17 })).toEqual([{ by: 'Client' }]);
});

it('nobody packs with compression none', () => {
  expect(packingsFor({ compress: 'Server' }, { algorithm: 'none' }, { major: 17 })).toEqual([{ by: 'Client' }]);
});

it.each([13, 14])('PostgreSQL %i cannot pack, which is said', (major) => {
  const [packing, ...others] = packingsFor({ compress: 'Server' }, zstd, { major });
  expect(packing).toEqual({ by: 'Client', because: expect.stringContaining(`PostgreSQL ${major} cannot`) });
  expect(others).toEqual([]);
});

it('a server packs with the level of the policy, or that of the agent', () => {
  expect(packingsFor({ compress: 'Server' }, zstd, { major: 15 })[0]).toMatchObject({ by: 'Server', level: 5 });
  expect(packingsFor({ compress: 'Server' }, { algorithm: 'zstd' }, { major: 15 })[0]).toMatchObject({ level: 3 });
});

it.each(['gzip', 'lz4'] as const)('the agent packs with %s, which is said', (algorithm) => {
  const [packing, ...others] = packingsFor({ compress: 'Server' }, { algorithm }, { major: 17 });
  expect(packing).toEqual({ by: 'Client', because: expect.stringContaining(`compression.algorithm: ${algorithm}`) });
  expect(others).toEqual([]);
});

const all = packingsFor({ compress: 'Server' }, zstd, { major: 15 });

it('a server whose zstd has no threads packs without', () => {
  expect(all[0]).toHaveProperty('workers');
  expect(afterRefusal(all, refusal('22023'))[0]).toEqual({ by: 'Server', level: 5 });
});

it('a server without zstd leaves it to the agent, which is said', () => {
  const left = [
    { by: 'Client', because: 'the server refused to pack with zstd, most likely because it was built without it' },
  ];
  expect(afterRefusal(all, refusal('42601'))).toEqual(left);
  expect(afterRefusal(all.slice(1), refusal('22023'))).toEqual(left);
});

it('what else a server says ends the backup', () => {
  expect(afterRefusal(all, refusal('53300'))).toEqual([]);
  expect(afterRefusal(all, new Error('enough'))).toEqual([]);
  expect(afterRefusal([{ by: 'Client' }], refusal('42601'))).toEqual([]);
});

it.each([
  [0, 8],
  [1024, 16],
  [1_000_000, 32],
])('a database of %i MiB has parts of %i MiB', (total, expected) => {
  expect(partTarget(total * mebibyte)).toBe(expected * mebibyte);
});
