import { ensureProgram } from '../cluster/tools.ts';

/** krew itself, as a program that kubectl finds under the name kubectl-krew. */
export async function ensureKrew(log: (line: string) => void): Promise<string> {
  return await ensureProgram('krew', new URL('./program/', import.meta.url).pathname, { log });
}
