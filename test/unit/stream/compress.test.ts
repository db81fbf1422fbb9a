import { expect, test } from 'vitest';
import { compressedSuffix, compressor, decompressor } from '../../../src/stream/compress.ts';

test('zstd gets the level, quietly, with a bounded number of threads', () => {
  const stage = compressor({ algorithm: 'zstd', level: 9 });
  expect(stage?.command).toBe('zstd');
  expect(stage?.args).toEqual(['-q', '-c', expect.stringMatching(/^-T[1-8]$/), '-9']);
});

test('none has no stage and no ending', () => {
  expect(compressor({ algorithm: 'none' })).toBeUndefined();
  expect(decompressor({ algorithm: 'none' })).toBeUndefined();
  expect([compressedSuffix({ algorithm: 'none' }), compressedSuffix({ algorithm: 'zstd' })]).toEqual(['', '.zst']);
});

test.each(['gzip', 'lz4'] as const)('%s is refused, and says what to set', (algorithm) => {
  expect(() => compressor({ algorithm })).toThrow('Set compression.algorithm to zstd or none');
});
