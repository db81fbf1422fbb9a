import { ensureDebianPackages } from '../cluster/packages.ts';
import { binariesRoot, defaultMajor } from './binaries.ts';

/** What the postgres tier stands on: a real server and its tools, and the programs that the agent's image has too. */
export default async function setup(): Promise<void> {
  const names = [`postgresql-${defaultMajor}`, `postgresql-client-${defaultMajor}`, 'zstd', 'openssl'];
  await ensureDebianPackages(names, (line) => process.stdout.write(`${line}\n`));
  process.env.TIDEMARK_POSTGRESQL_ROOT = binariesRoot;
}
