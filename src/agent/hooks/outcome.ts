/** How one hook ended, in words that anybody may read. */
export interface HookOutcome {
  readonly state: 'Succeeded' | 'Failed';
  readonly message: string;
  /** It may go well by itself the next time. */
  readonly retryable: boolean;
  /** It was surely not begun: nobody answered, or the pod is not there. Then it may be tried again without harm. */
  readonly untouched?: boolean;
}

export const succeeded: HookOutcome = { state: 'Succeeded', message: '', retryable: false };

export function notBegun(message: string): HookOutcome {
  return { ...failed(message, true), untouched: true };
}

export function failed(message: string, retryable = false): HookOutcome {
  return { state: 'Failed', message: [...message].slice(0, 1000).join(''), retryable };
}
