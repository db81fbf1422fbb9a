import { type Fate, refusal, type S3Kind, type Script } from '../s3/scripted-proxy.ts';
import type { Random } from './random.ts';

interface Possible {
  readonly fate: Fate;
  /** Absent: any request. */
  readonly kinds?: readonly S3Kind[];
}

const passing: readonly [Possible, ...Possible[]] = [
  { fate: refusal(503, 'SlowDown') },
  { fate: refusal(500, 'InternalError') },
  { fate: { answer: 503 } },
  { fate: { fault: 'reset' } },
  { fate: { fault: 'lose' } },
  { fate: { fault: 'reset-request', after: 100 }, kinds: ['put', 'part', 'complete', 'delete-many'] },
  { fate: { fault: 'cut', after: 50 }, kinds: ['get', 'list', 'delete-many', 'complete', 'begin'] },
  { fate: { fault: 'shorten', by: 30 }, kinds: ['get', 'list', 'delete-many', 'complete'] },
  { fate: { fault: 'shorten-and-lie', by: 30 }, kinds: ['get'] },
  { fate: { fault: 'flip-request', at: 0.5 }, kinds: ['put', 'part'] },
  { fate: { fault: 'flip-answer', at: 0.5 }, kinds: ['get'] },
  { fate: { fault: 'replay' }, kinds: ['list'] },
  { fate: refusal(409, 'ConditionalRequestConflict'), kinds: ['put', 'part', 'complete'] },
  { fate: { answer: 200, body: '' }, kinds: ['list', 'delete-many'] },
];

/** What a person must mend: it stays so until the end of the round. */
const lasting: readonly [Fate, ...Fate[]] = [
  refusal(403, 'AccessDenied'),
  refusal(507, 'InsufficientStorage'),
  refusal(403, 'QuotaExceeded'),
  refusal(403, 'RequestTimeTooSkewed'),
  refusal(403, 'InvalidAccessKeyId'),
];

export interface Schedule {
  readonly script: Script;
  /** What was done, for the message of a failure. */
  readonly struck: () => string;
}

/** Faults by chance: one of so many requests meets one that passes, and every third round one that stays, from some request on. */
export function scheduleOf(random: Random, rate = 0.2): Schedule {
  const stays = random.below(3) === 0 ? { from: random.below(20), fate: random.pick(lasting) } : undefined;
  const struck: string[] = [];
  let index = -1;
  const script: Script = ({ kind, path }) => {
    index += 1;
    const fate = (() => {
      if (stays !== undefined && index >= stays.from) return stays.fate;
      if (random.next() >= rate) return 'forward' as const;
      const possible = random.pick(passing);
      return possible.kinds === undefined || possible.kinds.includes(kind) ? possible.fate : ('forward' as const);
    })();
    if (fate !== 'forward')
      struck.push(`${index} ${kind} ${path.split('/').at(-1)}: ${JSON.stringify(fate).slice(0, 60)}`);
    return fate;
  };
  return { script, struck: () => struck.join('\n') };
}
