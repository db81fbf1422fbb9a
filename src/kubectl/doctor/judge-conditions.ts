import type { Condition } from '../../api/condition.ts';
import { type Check, ok, problem, unknown } from './check.ts';

/** Conditions of which True is the bad case. */
const badWhenTrue: ReadonlySet<string> = new Set(['Stalled']);
/** Unknown, and nothing to be done about it but to wait. */
const waiting: ReadonlySet<string> = new Set(['NoBackupYet', 'Starting', 'Probing']);

/** What the operator says itself; its messages say what to do. */
export function judgeConditions(conditions: readonly Condition[]): readonly Check[] {
  return conditions.map(({ type, status, reason, message }) => {
    const words = `${reason}. ${message}`;
    if (status === 'Unknown') {
      const remedy = waiting.has(reason)
        ? 'Wait, or make a backup now: kubectl tidemark backup.'
        : 'Look again in a minute; docs/errors.md has the reason.';
      return unknown(type, words, remedy);
    }
    const good = (status === 'True') !== badWhenTrue.has(type);
    return good
      ? ok(type, words)
      : problem(type, words, `Do what the message says; docs/errors.md has more on ${reason}.`);
  });
}
