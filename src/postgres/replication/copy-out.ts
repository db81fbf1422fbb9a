import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { type CopyPart, tapCopy } from './tap-copy.ts';

/** What a command with results and copies in a row (BASE_BACKUP) sends, in its order. */
export type CopyEvent =
  | { readonly kind: 'Rows'; readonly rows: readonly Readonly<Record<string, string | null>>[] }
  | { readonly kind: 'Begin' }
  | ({ readonly kind: 'Part' } & CopyPart)
  | { readonly kind: 'End' }
  | { readonly kind: 'Notice'; readonly text: string };

/** What the `pg` package keeps to itself. */
export interface CopyWire extends EventEmitter {
  readonly stream: Duplex;
}

/** Bytes that may wait in memory before the socket rests. */
const highWater = 2 * 1024 ** 2;

/** What is thrown where the server, once it has begun, sends nothing for so many milliseconds although it is waited for. */
export interface Silence {
  readonly after: number;
  readonly failure: () => unknown;
}

/**
 * The events of a command, of which `start` sends the text and resolves when the server is ready for the next. The socket
 * rests while nobody takes them; who stops taking them leaves a connection that is of no use: `breakOff` ends it.
 */
export async function* readCopies(
  wire: CopyWire,
  start: () => Promise<unknown>,
  breakOff: () => void,
  silence?: Silence,
): AsyncGenerator<CopyEvent, void, void> {
  let waiting: CopyEvent[] = [];
  let bytes = 0;
  let outcome: { readonly error?: unknown } | undefined;
  let wake = () => {};
  const push = (event: CopyEvent) => {
    waiting.push(event);
    wake();
  };
  const untap = tapCopy(wire.stream, (part) => {
    bytes += part.bytes.length;
    if (bytes >= highWater) wire.stream.pause();
    push({ kind: 'Part', ...part });
  });
  const deaf = listen(wire, push);
  let begun = false;
  let waitingSince: number | undefined;
  const timer = watchFor(
    silence,
    () => (begun ? waitingSince : undefined),
    (error) => {
      outcome ??= { error };
      breakOff();
      wake();
    },
  );
  start().then(
    () => {
      outcome = {};
      wake();
    },
    (error: unknown) => {
      outcome = { error };
      wake();
    },
  );
  try {
    for (;;) {
      const taken = waiting;
      waiting = [];
      for (const event of taken) {
        if (event.kind === 'Part') bytes -= event.bytes.length;
        // Before its first rows the server may wait for a checkpoint, which takes as long as it is told to.
        else if (event.kind === 'Rows') begun = true;
        yield event;
      }
      if (bytes < highWater / 2 && wire.stream.isPaused()) wire.stream.resume();
      if (waiting.length > 0) continue;
      if (outcome !== undefined) break;
      waitingSince = performance.now();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      waitingSince = undefined;
    }
    if ('error' in outcome) throw outcome.error;
  } finally {
    clearInterval(timer);
    deaf();
    untap();
    if (outcome === undefined) breakOff();
  }
}

function watchFor(
  silence: Silence | undefined,
  waitingSince: () => number | undefined,
  onSilence: (error: unknown) => void,
): NodeJS.Timeout | undefined {
  if (silence === undefined) return undefined;
  const look = () => {
    const since = waitingSince();
    if (since !== undefined && performance.now() - since >= silence.after) onSilence(silence.failure());
  };
  return setInterval(look, silence.after / 4).unref();
}

interface Fields {
  readonly fields: readonly { readonly name: string }[];
}

function listen(wire: CopyWire, push: (event: CopyEvent) => void): () => void {
  let names: readonly string[] | undefined;
  let rows: Record<string, string | null>[] = [];
  const listeners = {
    rowDescription: ({ fields }: Fields) => {
      names = fields.map(({ name }) => name);
      rows = [];
    },
    dataRow: ({ fields }: { readonly fields: readonly (string | null)[] }) => {
      rows.push(Object.fromEntries((names ?? []).map((name, index) => [name, fields[index] ?? null])));
    },
    commandComplete: () => {
      if (names !== undefined) push({ kind: 'Rows', rows });
      names = undefined;
    },
    copyOutResponse: () => push({ kind: 'Begin' }),
    copyDone: () => push({ kind: 'End' }),
    notice: ({ message }: { readonly message?: string }) => push({ kind: 'Notice', text: message ?? '' }),
  };
  for (const [name, listener] of Object.entries(listeners)) wire.on(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) wire.off(name, listener);
  };
}
