import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { runFolder } from './run-folder.ts';

/** Builds a module for session_preload_libraries, with which a server takes security labels of the provider dummy. */
export async function buildLabelProvider(): Promise<string> {
  const source = fileURLToPath(new URL('label-provider.c', import.meta.url));
  const library = join(await runFolder(), 'label_provider.so');
  await execa('tcc', ['-shared', '-nostdlib', '-o', library, source]);
  // The server's account is another.
  await chmod(library, 0o755);
  return library;
}
