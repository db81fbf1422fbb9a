import { expect, test } from 'vitest';
import { memoryLimit } from '../../../src/postgres/memory-limit.ts';

const saying = (said: Readonly<Record<string, string>>) => (file: string) => said[file] ?? '';

test('is what either version of cgroups says, and nothing where there is none', () => {
  expect(memoryLimit(saying({ '/sys/fs/cgroup/memory.max': '268435456\n' }))).toBe('256 MiB');
  expect(memoryLimit(saying({ '/sys/fs/cgroup/memory/memory.limit_in_bytes': '536870912\n' }))).toBe('512 MiB');
  expect(memoryLimit(saying({ '/sys/fs/cgroup/memory.max': 'max\n' }))).toBeUndefined();
  const unlimited = { '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n' };
  expect(memoryLimit(saying(unlimited))).toBeUndefined();
  expect(memoryLimit(saying({}))).toBeUndefined();
});
