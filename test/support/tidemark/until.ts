import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks again until the answer is there. The deadline is for faults only: what it was waiting for, and what it saw last,
 * stand in the error.
 */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined | false>,
  options: {
    readonly seconds?: number;
    readonly everyMilliseconds?: number;
    readonly seen?: () => string | Promise<string>;
  } = {},
): Promise<Answer> {
  const { seconds = 120, everyMilliseconds = 300, seen } = options;
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) {
      const last = seen === undefined ? '' : ` Last seen: ${await seen()}`;
      throw new Error(`Waited ${seconds} s in vain for ${what}.${last}`);
    }
    await pause(everyMilliseconds);
  }
}
