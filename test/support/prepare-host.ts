import { ensureDebianPackages } from './cluster/packages.ts';
import { ensureTool } from './cluster/tools.ts';
import { defaultMajor } from './postgres/binaries.ts';

/** What the tests on the host stand on, before the first of them has to wait for it: the agent's programs and servers. */
const log = (line: string) => process.stdout.write(`[host] ${line}\n`);
const packages = [
  `postgresql-${defaultMajor}`,
  `postgresql-client-${defaultMajor}`,
  'zstd',
  'age',
  'tar',
  'openssl',
  'ca-certificates',
  'prometheus',
];

await ensureDebianPackages(packages, log);
await ensureTool('versitygw', { log });
await ensureTool('helm', { log });
