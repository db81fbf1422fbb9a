import { create, type Kinds, type Manifest, type WorkKind } from './objects.ts';
import { codeOf, printResult, type WaitOptions } from './options.ts';
import { yaml } from './print.ts';
import type { Session } from './session.ts';
import { oneLine, printable } from './terminal.ts';
import { waitFor } from './wait.ts';

/**
 * The end of every command that makes an object: prints it (--dry-run), or makes it, waits where that is wanted, and says
 * how it ended.
 */
export async function perform<Kind extends WorkKind>(
  session: Session,
  manifest: Manifest & { readonly kind: Kind },
  options: WaitOptions,
  summary: (ended: Kinds[Kind]) => string,
): Promise<number> {
  const { terminal, namespace } = session;
  if (options.dryRun === true) {
    terminal.out(yaml(manifest));
    return 0;
  }
  const made = await create(session, manifest);
  const { name } = made.metadata;
  if (!(options.wait ?? terminal.watched)) {
    const watch = `kubectl --namespace ${namespace} get ${manifest.kind.toLowerCase()} ${name} --watch`;
    printResult(session, options.output, made, `${manifest.kind} ${name} is created. To see how far it is: ${watch}`);
    return 0;
  }
  terminal.say(`${manifest.kind} ${name} is created.`);
  const ended = await waitFor(session, manifest.kind, made, options.timeout);
  printResult(session, options.output, ended, printable(outcome(ended, summary)));
  return codeOf(ended);
}

function outcome<Kind extends WorkKind>(ended: Kinds[Kind], summary: (ended: Kinds[Kind]) => string): string {
  const { kind, metadata, status } = ended;
  if (status?.phase === 'Completed') return summary(ended);
  const succeeded = status?.conditions?.find(({ type }) => type === 'Succeeded');
  const reason = succeeded === undefined ? '' : ` (${succeeded.reason})`;
  const words = oneLine(status?.error || succeeded?.message || 'nothing is said about why');
  const logs = `kubectl tidemark logs --namespace ${metadata.namespace} ${kind.toLowerCase()}/${metadata.name}`;
  return `${kind} ${metadata.name}: ${status?.phase ?? 'Unknown'}${reason}. ${words}\nWhat it said on the way: ${logs}`;
}
