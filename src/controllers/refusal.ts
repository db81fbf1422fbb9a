/**
 * Why something is not done. `mayCome`: what is missing may still be on its way (objects of one commit arrive one after
 * the other), so a run waits a minute for it before it fails.
 */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
  readonly mayCome: boolean;
}

export function refused(reason: string, message: string): Refusal {
  return { reason, message, mayCome: false };
}

export function missing(reason: string, message: string): Refusal {
  return { reason, message, mayCome: true };
}

export function isRefusal(value: object): value is Refusal {
  return 'mayCome' in value;
}

/** How long a run waits for what may come, from its creation. */
export const patienceMilliseconds = 60_000;
