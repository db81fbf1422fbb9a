import { runPsql } from '../../../src/agent/restore/script/run-psql.ts';
import type { ServerAccess } from '../../../src/postgres/access.ts';
import { toolFor, writeLibpqFiles } from '../../../src/postgres/tools.ts';

/** Gives psql the half of a script, waits until the server has it, and is killed as an agent is that has run out of memory. JSON in. */
export interface Given {
  readonly access: ServerAccess;
  readonly folder: string;
  readonly database: string;
  readonly half: string;
}

const { access, folder, database, half }: Given = JSON.parse(process.argv[2] ?? '');

async function* script() {
  yield Buffer.from(half);
  process.kill(process.pid, 'SIGKILL');
  yield Buffer.from('the rest');
}

await runPsql({
  tool: await toolFor('psql', 15),
  access,
  files: await writeLibpqFiles(access, folder),
  isSuperuser: true,
  database,
  options: { stopAtError: true, singleTransaction: true, role: '', asReplica: false },
  input: script(),
  signal: AbortSignal.timeout(60_000),
});
