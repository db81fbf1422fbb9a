import { homedir } from 'node:os';
import { join } from 'node:path';

/** A folder of the user's cache, where what was built is kept by version. TIDEMARK_CACHE moves it. */
export function cacheFolder(...parts: readonly string[]): string {
  const root = process.env.TIDEMARK_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tidemark');
  return join(root, ...parts);
}
