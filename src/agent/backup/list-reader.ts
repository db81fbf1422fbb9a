export interface ListSummary {
  /** `TOC Entries` of the header: all of them, also those that the list does not show. */
  readonly entries: number;
  /** The files of a Directory dump that hold the data of the tables listed. */
  readonly dataFiles: readonly string[];
}

/** Reads what `pg_restore --list` prints while it passes by. */
export function createListReader(): {
  readonly pass: (list: AsyncIterable<Buffer>) => AsyncGenerator<Buffer, void, void>;
  readonly summary: () => ListSummary;
} {
  let entries = 0;
  const dataFiles: string[] = [];
  let rest = '';
  const line = (text: string) => {
    const announced = /^;\s+TOC Entries: (\d+)/.exec(text)?.[1];
    if (announced !== undefined) entries = Number(announced);
    // The dump ID is the file's name.
    const id = /^(\d+); \d+ \d+ TABLE DATA /.exec(text)?.[1];
    if (id !== undefined) dataFiles.push(`${id}.dat`);
  };
  async function* pass(list: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of list) {
      // One byte a character: only ASCII is looked for, and a name may be in any encoding.
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) line(text);
      yield chunk;
    }
    line(rest);
  }
  return { pass, summary: () => ({ entries, dataFiles }) };
}
