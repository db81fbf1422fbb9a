/** How one hook ended, in words that anybody may read. */
export interface HookOutcome {
  readonly state: 'Succeeded' | 'Failed';
  readonly message: string;
  /** It may go well by itself the next time. */
  readonly retryable: boolean;
}

export const succeeded: HookOutcome = { state: 'Succeeded', message: '', retryable: false };

export function failed(message: string, retryable = false): HookOutcome {
  return { state: 'Failed', message: [...message].slice(0, 1000).join(''), retryable };
}
