/** One thing that a policy needs, and whether it is so. `unknown` could not be looked at, and is not taken for good. */
export interface Check {
  readonly subject: string;
  readonly result: 'ok' | 'warning' | 'problem' | 'unknown';
  readonly message: string;
  /** What to do now. */
  readonly remedy?: string;
}

/** What was looked for: there, certainly not there, or not to be seen, with the reason. */
export type Looked<Thing> =
  | { readonly state: 'found'; readonly thing: Thing }
  | { readonly state: 'absent' }
  | { readonly state: 'unseen'; readonly why: string };

export const ok = (subject: string, message: string): Check => ({ subject, result: 'ok', message });
export const problem = (subject: string, message: string, remedy: string): Check => ({
  ...{ subject, result: 'problem', message, remedy },
});
export const warning = (subject: string, message: string, remedy: string): Check => ({
  ...{ subject, result: 'warning', message, remedy },
});
export const unknown = (subject: string, message: string, remedy: string): Check => ({
  ...{ subject, result: 'unknown', message, remedy },
});
