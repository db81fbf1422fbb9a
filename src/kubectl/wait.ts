import { exitCode, Stop } from './exit-code.ts';
import { follow } from './follow.ts';
import type { Kinds, Work, WorkKind } from './objects.ts';
import { progressLine, step } from './progress-line.ts';
import type { Session } from './session.ts';

const ended: ReadonlySet<string | undefined> = new Set(['Completed', 'Failed', 'Cancelled', 'Expired']);

export function hasEnded({ status }: Work): boolean {
  return ended.has(status?.phase);
}

/**
 * Waits until the work has ended, and gives the object. On a terminal a line shows how far it is; elsewhere each step
 * is one line. A person who stops waiting, or a time-out, leaves the work as it is.
 */
export async function waitFor<Kind extends WorkKind>(
  session: Session,
  kind: Kind,
  object: Kinds[Kind],
  timeoutMilliseconds?: number,
): Promise<Kinds[Kind]> {
  const { terminal, clock } = session;
  const deadline = timeoutMilliseconds === undefined ? undefined : AbortSignal.timeout(timeoutMilliseconds);
  const signal = deadline === undefined ? session.signal : AbortSignal.any([session.signal, deadline]);
  let told = '';
  try {
    for await (const found of follow({ ...session, signal }, kind, object)) {
      if (hasEnded(found)) return found;
      terminal.live(progressLine(found, clock.now(), terminal));
      const now = step(found);
      if (!terminal.watched && now !== told) terminal.say(`${kind} ${found.metadata.name}: ${now}`);
      told = now;
    }
    throw new Error('follow ends by its caller alone');
  } catch (error) {
    if (session.signal.aborted) throw goesOn(exitCode.interrupted, object, 'You stopped waiting');
    if (deadline?.aborted) throw goesOn(exitCode.timedOut, object, 'The time of --timeout is over');
    throw error;
  } finally {
    terminal.live(undefined);
  }
}

function goesOn(code: 130 | 6, { kind, metadata: { name, namespace } }: Work, why: string): Stop {
  const command = `kubectl tidemark cancel --namespace ${namespace} ${kind.toLowerCase()}/${name}`;
  return new Stop(code, `${why}; ${kind} ${name} goes on in the cluster. To stop it: ${command}`);
}
