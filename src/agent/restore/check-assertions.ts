import type { Assertion } from '../../api/backup-policy.ts';
import type { RestoreRequestStatus } from '../../api/restore-request.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { type LibpqFiles, libpqEnvironment, type Tool } from '../../postgres/tools.ts';
import { runTool } from './run-tool.ts';

export type AssertionResult = NonNullable<RestoreRequestStatus['assertions']>[number];

/** What the status takes. */
const gotLimit = 4096;

/** Asks each query as `psql -At -c` does and compares what it prints with what is expected. */
export async function checkAssertions(
  assertions: readonly Assertion[],
  psql: Tool,
  connection: { readonly access: ServerAccess; readonly files: LibpqFiles },
  signal: AbortSignal,
): Promise<readonly AssertionResult[]> {
  const results: AssertionResult[] = [];
  for (const assertion of assertions) {
    const got = await ask(assertion, psql, connection, signal);
    const passed = got.ok && got.text === withoutLastBreak(assertion.expect);
    results.push({ ...assertion, got: [...got.text].slice(0, gotLimit).join(''), passed });
  }
  return results;
}

async function ask(
  { database, query }: Assertion,
  psql: Tool,
  { access, files }: { readonly access: ServerAccess; readonly files: LibpqFiles },
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly text: string }> {
  // psql would take it for one of its own commands, some of which run programs.
  if (query.startsWith('\\')) return { ok: false, text: 'a query must be SQL; psql’s own commands are not run' };
  const { stdout, stderr, code } = await runTool({
    command: psql.path,
    args: [
      '--no-psqlrc',
      '--no-password',
      '--quiet',
      '--no-align',
      '--tuples-only',
      '--set=ON_ERROR_STOP=1',
      `--command=${query}`,
    ],
    env: libpqEnvironment(access, database, files),
    signal,
  });
  return code === 0 ? { ok: true, text: withoutLastBreak(stdout) } : { ok: false, text: stderr.trim() };
}

function withoutLastBreak(text: string): string {
  return text.replace(/\r?\n$/, '');
}

/** A sentence for the first that failed; undefined where all hold. */
export function describeFailedAssertions(results: readonly AssertionResult[]): string | undefined {
  const failed = results.filter(({ passed }) => !passed);
  const [first] = failed;
  if (first === undefined) return undefined;
  const more = failed.length === 1 ? '' : ` ${failed.length - 1} more failed; see status.assertions.`;
  return `The assertion ${JSON.stringify(first.query)} in database ${first.database} gave ${JSON.stringify(first.got.slice(0, 500))} instead of ${JSON.stringify(first.expect.slice(0, 500))}.${more}`;
}
