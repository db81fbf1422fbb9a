import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ArchiveCutShort, UnknownArchive } from '../../../src/agent/restore/archive.ts';
import { StrangeScript } from '../../../src/agent/restore/script/lex-script.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import { Stop } from '../../../src/kubectl/exit-code.ts';

/** Something that reads what others have written. */
export interface Target {
  readonly name: string;
  /** The exported functions of src that are called, as list.test.ts finds them. */
  readonly covers: readonly string[];
  /** How many of a hundred thousand inputs it gets, in proportion: cheap ones get more. */
  readonly share: number;
  /** As real tools and servers have written it. */
  readonly corpus: readonly Buffer[];
  readonly mutates: 'bytes' | 'json';
  /**
   * Reads it. What it throws must be an error of our own (isOurs); what it throws as a WrongAcceptance, or returns a
   * promise of that, is a defect whatever it is.
   */
  readonly run: (input: Buffer, original: Buffer) => unknown;
  /** Nothing that was changed may be taken. */
  readonly takesOriginalOnly?: true;
}

/** It was taken, and must not have been. */
export class WrongAcceptance extends Error {
  override readonly name = 'WrongAcceptance';
}

export function refuse(condition: boolean, what: string): void {
  if (condition) throw new WrongAcceptance(what);
}

/** A RangeError that the source itself throws, and documents: V8's own have other words. */
const said =
  /is not an LSN$|^not a line of a history file|^timelines out of their order|are no WAL and no keepalive$|in a base backup$|^a base backup of|is no duration$|^WAL from \d+ follows/;

/** An error that somebody foresaw, and whose words a person may read. */
export function isOurs(error: unknown): boolean {
  if (error instanceof RangeError) return !('code' in error) && said.test(error.message);
  return [Failure, Stop, StrangeScript, ArchiveCutShort, UnknownArchive, ApiError].some((own) => error instanceof own);
}

export const corpusRoot = join(import.meta.dirname, 'corpus');

/** Every file under a folder of the corpus, in the order of their names. */
export function corpus(...folders: readonly string[]): readonly Buffer[] {
  const found = folders.flatMap((folder) => {
    const path = join(corpusRoot, folder);
    if (statSync(path).isFile()) return [readFileSync(path)];
    return readdirSync(path)
      .sort()
      .map((name) => readFileSync(join(path, name)));
  });
  if (found.length === 0) throw new Error(`no corpus in ${folders.join(', ')}`);
  return found;
}
