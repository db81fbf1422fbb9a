import { expect, it } from 'vitest';
import { measure } from '../../../../../src/agent/recover/run/measure.ts';
import type { RecoverTask } from '../../../../../src/domain/task.ts';

const at = (seconds: number) => new Date(Date.parse('2026-03-10T12:00:00Z') + seconds * 1000);
const times = { begun: at(20), laid: at(50), now: at(110) };
const task = (
  target: Partial<RecoverTask['target']>,
  more: Partial<Pick<RecoverTask, 'askedTime' | 'lagSeconds'>> = {},
): Pick<RecoverTask, 'target' | 'plan' | 'askedTime' | 'lagSeconds'> => ({
  target: { targetTLI: 'latest', exclusive: false, backupID: '', ...target },
  plan: { endOfArchiveTime: at(0).toISOString() } as RecoverTask['plan'],
  ...more,
});
const reached = { lsn: '0/1', timeline: 2, time: at(-3).toISOString() };

it('says what it took from the asking, and where the seconds went', () => {
  expect(measure(task({}, { askedTime: at(0).toISOString() }), reached, times)).toMatchObject({
    rtoSeconds: 110,
    parts: { planning: 20, base: 30, replay: 60 },
  });
  expect(measure(task({}, { askedTime: at(99).toISOString() }), reached, times)).toMatchObject({
    rtoSeconds: 90,
    parts: { planning: 0 },
  });
});

it('says what would be lost: before the target time, or what the archive lacks', () => {
  expect(measure(task({}), reached, times).rpoSeconds).toBe(3);
  expect(measure(task({}, { lagSeconds: 40 }), reached, times).rpoSeconds).toBe(43);
  const target = { targetTime: at(-1).toISOString() };
  expect(measure(task(target, { lagSeconds: 40 }), reached, times).rpoSeconds).toBe(2);
  const { time: _, ...without } = reached;
  expect(measure(task({}, { lagSeconds: 40 }), without, times).rpoSeconds).toBe(40);
  expect(measure(task({}), without, times)).not.toHaveProperty('rpoSeconds');
  expect(measure(task({ targetImmediate: true }, { lagSeconds: 40 }), reached, times)).not.toHaveProperty('rpoSeconds');
});

it('goes by the heartbeats where there are some: all since the last one that the archive had then is lost', () => {
  const beating = (target: Partial<RecoverTask['target']> = {}, lagSeconds = 40) => {
    const { plan, ...rest } = task(target, { lagSeconds });
    return { ...rest, plan: { ...plan, readTime: at(25).toISOString(), heartbeatSeconds: 10 } };
  };
  expect(measure(beating(), { ...reached, time: at(0).toISOString() }, times)).toMatchObject({
    rpoSeconds: 25,
    heartbeatSeconds: 10,
  });
  // Replay ended early.
  expect(measure(beating(), reached, times).rpoSeconds).toBe(28);
  // WAL that came after the disaster would have come is none of what was saved.
  expect(measure(beating(), { ...reached, time: at(90).toISOString() }, times).rpoSeconds).toBe(25);
  expect(measure(beating({ targetTime: at(4).toISOString() }), reached, times)).toMatchObject({
    rpoSeconds: 7,
    heartbeatSeconds: 10,
  });
  expect(measure(beating({ targetImmediate: true }), reached, times)).not.toHaveProperty('rpoSeconds');
  expect(measure(task({}, { lagSeconds: 40 }), reached, times)).not.toHaveProperty('heartbeatSeconds');
});
