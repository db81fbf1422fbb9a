import { ApiError, ApiUnreachable, isForbidden } from '../kube/api-error.ts';
import { resourcePath } from '../kube/paths.ts';
import { exitCode, Stop } from './exit-code.ts';
import { find, type Kinds, type WorkKind } from './objects.ts';
import type { Session } from './session.ts';

const retryMilliseconds = 1000;
/** An API server that is away for longer than this is told to the person; the waiting goes on. */
const silence = 60_000;

/**
 * An object as it is, and then each time it changes; ends where the caller ends it, or the object goes. A connection that
 * breaks is made anew: what is waited for goes on in the cluster whatever happens here. Whoever may not watch asks again
 * and again.
 */
export async function* follow<Kind extends WorkKind>(
  session: Session,
  kind: Kind,
  object: Kinds[Kind],
): AsyncGenerator<Kinds[Kind]> {
  const { clock, signal, terminal } = session;
  const { name, uid } = object.metadata;
  let awaySince: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    try {
      const found = await find(session, kind, name);
      if (found === undefined || found.metadata.uid !== uid) throw gone(kind, name);
      awaySince = undefined;
      yield found;
      yield* changes(session, kind, found);
    } catch (error) {
      if (!mayPass(error)) throw error;
      awaySince ??= clock.monotonic();
      if (clock.monotonic() - awaySince > silence) {
        terminal.say(`The API server does not answer; waiting goes on. ${(error as Error).message}`);
        awaySince = clock.monotonic();
      }
    }
    await clock.sleep(retryMilliseconds, signal);
  }
}

async function* changes<Kind extends WorkKind>(
  { client, namespace, signal }: Session,
  kind: Kind,
  { metadata: { name, uid, resourceVersion } }: Kinds[Kind],
): AsyncGenerator<Kinds[Kind]> {
  const query = { fieldSelector: `metadata.name=${name}`, resourceVersion, allowWatchBookmarks: true };
  try {
    for await (const { type, object } of client.watch(resourcePath(kind, { namespace }), query, signal)) {
      if (type === 'BOOKMARK') continue;
      if (type === 'ERROR') return;
      if (type === 'DELETED' || object.metadata.uid !== uid) throw gone(kind, name);
      yield object as unknown as Kinds[Kind];
    }
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
}

function gone(kind: string, name: string): Stop {
  return new Stop(exitCode.failed, `${kind} ${name} was deleted while it was waited for.`);
}

function mayPass(error: unknown): boolean {
  if (error instanceof ApiUnreachable) return true;
  return error instanceof ApiError && (error.status === 410 || error.status === 429 || error.status >= 500);
}
