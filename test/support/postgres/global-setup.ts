import { rm } from 'node:fs/promises';
import { ensureDebianPackages } from '../cluster/packages.ts';
import { binariesRoot } from './binaries.ts';
import { hostPackages } from './packages.ts';
import { makeRunFolder, runFolderVariable } from './run-folder.ts';

/** What the postgres tier stands on: a real server and its tools, and the programs that the agent's image has too. */
export default async function setup(): Promise<() => Promise<void>> {
  await ensureDebianPackages(hostPackages, (line) => process.stdout.write(`${line}\n`));
  process.env.TIDEMARK_POSTGRESQL_ROOT = binariesRoot;
  const folder = await makeRunFolder();
  process.env[runFolderVariable] = folder;
  return () => rm(folder, { recursive: true, force: true });
}
