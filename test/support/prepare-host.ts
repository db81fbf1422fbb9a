import { ensureDebianPackages } from './cluster/packages.ts';
import { ensureTool } from './cluster/tools.ts';
import { ensureHealthProgram } from './gitops/health.ts';
import { ensureOtherRelease } from './postgres/other-releases.ts';
import { hostPackages } from './postgres/packages.ts';

/** What the tests on the host stand on, before the first of them has to wait for it: the agent's programs and servers. */
const log = (line: string) => process.stdout.write(`[host] ${line}\n`);

await ensureDebianPackages(
  [
    ...hostPackages,
    'ca-certificates',
    'chromium',
    'fish',
    'fonts-liberation',
    'jq',
    'lua5.1',
    'openssh-client',
    'openssh-server',
    'prometheus',
    'rclone',
    'zsh',
  ],
  log,
);
await ensureTool('versitygw', { log });
await ensureTool('fake-gcs-server', { log });
await ensureTool('helm', { log });
await ensureHealthProgram(log);
for (const major of ['17', '18'] as const) await ensureOtherRelease(major, log);
