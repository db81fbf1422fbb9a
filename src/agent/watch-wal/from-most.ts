import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../domain/failure.ts';
import { unforeseen } from '../report-of.ts';
import type { NamedArchive } from './archives.ts';

export interface Answers<Answer> {
  readonly answers: readonly { readonly name: string; readonly answer: Answer }[];
  /** Those that did not answer, though enough others did. */
  readonly silent: readonly { readonly name: string; readonly failure: Failure }[];
}

/** Milliseconds for those that are not needed, once enough have answered. */
const grace = 5000;

/** Asks every archive; rejects where fewer answer than must have the WAL, so that nothing is said that is not known. */
export async function fromMost<Of extends NamedArchive, Answer>(
  archives: readonly Of[],
  ask: (archive: Of, signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal,
): Promise<Answers<Answer>> {
  const needed = Math.min(archives[0]?.minimum ?? archives.length, archives.length);
  const late = new AbortController();
  const either = AbortSignal.any([signal, late.signal]);
  const enough = Promise.withResolvers<void>();
  let answered = 0;
  const asking = Promise.allSettled(
    archives.map(async (archive) => {
      const answer = await ask(archive, either);
      answered += 1;
      if (answered >= needed) enough.resolve();
      return { name: archive.name, answer };
    }),
  );
  await Promise.race([asking, enough.promise]);
  const done = new AbortController();
  await Promise.race([asking, delay(grace, undefined, { signal: done.signal }).catch(() => undefined)]);
  done.abort();
  late.abort();
  const results = await asking;
  signal.throwIfAborted();
  const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const silent = results.flatMap((result, index) => {
    if (result.status === 'fulfilled') return [];
    const error: unknown = result.reason;
    return [
      { name: archives[index]?.name ?? '', failure: error instanceof Failure ? error : unforeseen(error), error },
    ];
  });
  if (answers.length < needed) throw silent[0]?.error;
  return { answers, silent: silent.map(({ name, failure }) => ({ name, failure })) };
}
