import { readFileSync } from 'node:fs';

/** Of cgroup version 2, and of version 1. */
const files = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'];
/** Version 1 says so large a number where there is none. */
const none = 2 ** 60;

/** What this pod's container may have at most, in words: 256 MiB; undefined where there is no limit, or nobody says so. */
export function memoryLimit(read: (file: string) => string = readText): string | undefined {
  for (const file of files) {
    const bytes = Number.parseInt(read(file), 10);
    if (Number.isSafeInteger(bytes) && bytes < none) return `${Math.round(bytes / 1024 ** 2)} MiB`;
  }
  return undefined;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
