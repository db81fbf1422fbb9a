import type { RestoreError } from '../restore-output.ts';

/** Reads what `psql --echo-errors` writes to standard error, line by line. */
export interface PsqlOutput {
  readonly line: (text: string) => void;
  /** No line follows. */
  readonly end: () => void;
  readonly errors: () => number;
  readonly firstErrors: () => readonly RestoreError[];
}

const kept = 10;
const maxLines = 20;
const severity = /^(?:psql:(?:<stdin>:\d+:)? )?(?:ERROR|FATAL|PANIC|error): +(.*)$/;
const ofScript = /^psql:<stdin>:\d+: /;
const statement = /^psql:<stdin>:\d+: STATEMENT: +(.*)$/;

export function createPsqlOutput(): PsqlOutput {
  let errors = 0;
  let open: { object: string | undefined; readonly lines: string[] } | undefined;
  const firstErrors: RestoreError[] = [];
  const close = () => {
    if (open !== undefined && firstErrors.length < kept) {
      firstErrors.push({ object: open.object, message: open.lines.join('\n').trim() });
    }
    open = undefined;
  };
  return {
    line(text) {
      const begun = statement.exec(text)?.[1];
      if (open !== undefined && begun !== undefined) {
        open.object = subjectOf(begun);
        return;
      }
      // The lines of a statement may say anything.
      const inStatement = open?.object !== undefined && !ofScript.test(text);
      const message = inStatement ? undefined : severity.exec(text)?.[1];
      if (message !== undefined) {
        close();
        errors += 1;
        open = { object: undefined, lines: [message] };
      } else if (ofScript.test(text)) close();
      else if (open !== undefined && !inStatement && open.lines.length < maxLines) open.lines.push(text);
    },
    end: close,
    errors: () => errors,
    firstErrors: () => firstErrors,
  };
}

const longest = 120;

/** `CREATE TABLE public.orders`: what stands behind it may be rows. */
function subjectOf(text: string): string {
  const [subject = ''] = text.split(/\s*(?:\(|;|\bVALUES\b|\bFROM stdin\b)/);
  return subject.slice(0, longest);
}
