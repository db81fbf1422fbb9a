import { type BackupEvent, decodeBackup } from '../../../../src/postgres/replication/base-backup.ts';
import type { CopyEvent } from '../../../../src/postgres/replication/copy-out.ts';
import { splitCopy } from '../../../../src/postgres/replication/tap-copy.ts';
import { corpus, refuse, type Target } from '../target.ts';

const position = [{ recptr: '0/2000028', tli: '1' }];

/** Messages of a base backup as the server frames them, between the results that come before and after. */
export const serverTargets: readonly Target[] = [
  {
    name: 'messages of a base backup',
    covers: ['splitCopy', 'decodeBackup'],
    share: 4,
    corpus: corpus('protocol'),
    mutates: 'bytes',
    async run(input) {
      const parts: CopyEvent[] = [];
      let given = 0;
      const split = splitCopy(
        (part) => {
          given += part.bytes.length;
          parts.push({ kind: 'Part', ...part });
        },
        (bytes) => {
          given += bytes.length;
        },
      );
      for (let at = 0; at < input.length; at += 500) split(input.subarray(at, at + 500));
      refuse(given > input.length, 'more came out than went in');
      const seen: BackupEvent['kind'][] = [];
      for await (const event of decodeBackup(events(parts), 17)) seen.push(event.kind);
      refuse(seen[0] !== 'Start' || seen.at(-1) !== 'End', 'a backup without its beginning or its end');
    },
  },
  {
    name: 'results of a base backup',
    covers: ['decodeBackup'],
    share: 3,
    corpus: [Buffer.from(JSON.stringify([position, [{ spcoid: null, spclocation: null, size: '30000' }], position]))],
    mutates: 'json',
    async run(input) {
      let results: unknown;
      try {
        results = JSON.parse(input.toString('utf8'));
      } catch {
        return;
      }
      // The pg package gives texts and nulls, whatever the server sends.
      const rows = Array.isArray(results) ? results.map(asRows) : [];
      for await (const event of decodeBackup(each(rows), 15))
        if (event.kind === 'Start') refuse(event.lsn < 0n, 'an LSN that is none');
    },
  },
];

async function* events(parts: readonly CopyEvent[]): AsyncGenerator<CopyEvent, void, void> {
  yield { kind: 'Rows', rows: position };
  yield { kind: 'Rows', rows: [{ spcoid: null, spclocation: null, size: '30000' }] };
  yield { kind: 'Begin' };
  yield* parts;
  yield { kind: 'Rows', rows: position };
}

async function* each(results: readonly (readonly Record<string, string | null>[])[]) {
  for (const rows of results) yield { kind: 'Rows', rows } as const;
}

function asRows(rows: unknown): readonly Record<string, string | null>[] {
  if (!Array.isArray(rows)) return [];
  return rows
    .filter((row) => typeof row === 'object' && row !== null)
    .map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([key, value]) => [key, typeof value === 'object' ? null : String(value)]),
      ),
    );
}
