export interface RestoreError {
  /** `TABLE orders`, where pg_restore says it. */
  readonly object: string | undefined;
  /** Its words, without the statement. */
  readonly message: string;
}

/** Reads what `pg_restore --verbose` writes to standard error, line by line. */
export interface RestoreOutput {
  readonly line: (text: string) => void;
  /** No line follows. */
  readonly end: () => void;
  /** Of the archive's entries, those that it has begun. */
  readonly objects: () => number;
  readonly current: () => string;
  readonly errors: () => number;
  readonly firstErrors: () => readonly RestoreError[];
}

const kept = 10;
const program = /^pg_restore: /;

/** `ignores`: errors that are none. `onError` is told of each one when it is complete. */
export function createRestoreOutput({
  ignores = () => false,
  onError = () => undefined,
}: {
  readonly ignores?: (message: string) => boolean;
  readonly onError?: (error: RestoreError) => void;
} = {}): RestoreOutput {
  let objects = 0;
  let current = '';
  let errors = 0;
  let entry: string | undefined;
  let open: { readonly object: string | undefined; readonly lines: string[]; inCommand: boolean } | undefined;
  const firstErrors: RestoreError[] = [];

  const close = () => {
    if (open === undefined) return;
    const error = { object: open.object, message: open.lines.join('\n').trim() };
    open = undefined;
    entry = undefined;
    if (ignores(error.message)) return;
    errors += 1;
    if (firstErrors.length < kept) firstErrors.push(error);
    onError(error);
  };
  const continued = (text: string) => {
    if (open === undefined) return;
    open.inCommand ||= text.startsWith('Command was:');
    if (!open.inCommand && open.lines.length < 20) open.lines.push(text);
  };
  return {
    line(text) {
      if (!program.test(text)) {
        continued(text);
        return;
      }
      close();
      const said = text.replace(program, '');
      const error = /^error: ([\s\S]*)$/.exec(said)?.[1];
      if (error !== undefined) open = { object: entry, lines: [error], inCommand: false };
      entry = entryOf(said) ?? entry;
      const begun = beginOf(said);
      if (begun === undefined) return;
      objects += 1;
      current = begun;
    },
    end: close,
    objects: () => objects,
    current: () => current,
    errors: () => errors,
    firstErrors: () => firstErrors,
  };
}

/** `from TOC entry 221; 1259 16626 TABLE orders shop_owner`, said before an error; the owner's name stands last. */
function entryOf(said: string): string | undefined {
  return /^from TOC entry \d+; \d+ \d+ (.*)$/.exec(said)?.[1];
}

function beginOf(said: string): string | undefined {
  if (/^(creating|executing) /.test(said)) return said;
  return /^processing data for table /.test(said) ? said.replace('processing', 'restoring') : undefined;
}
