import { z } from 'zod';
import { agentReport } from './report.ts';
import { integer, list, text, time, wideInteger } from './schema.ts';

const count = integer(0, 2_147_483_647);

/** What the last sync found; the agent owns all of this, and the operator judges it. */
export const catalogueStatus = z.object({
  /** Of the last one that succeeded. */
  startTime: time.optional(),
  completionTime: time.optional(),
  /** Of the last one that listed every object of the backups. */
  deepTime: time.optional(),
  /** What the store got before this was made known once: a BackupRun that was deleted since stays so. */
  knownUntil: time.optional(),
  /** Of the repository's place in the spec; another place is another catalogue. */
  place: text(64).optional(),
  /** The value of the annotation tidemark.dev/sync that was answered last. */
  requested: text(1024).optional(),
  /** Of the spec that was gone by, also where it failed. */
  generation: integer(-1, Number.MAX_SAFE_INTEGER).optional(),
  /** By the last deep sync, and what came and went since; so are the next ones. */
  backups: count.optional(),
  /** Listed by the last deep sync: what another one costs. */
  objects: count.optional(),
  /** Folders without a manifest: backups that are being made, or what one has left. */
  unfinished: count.optional(),
  /** Of the backups, without WAL. */
  storedBytes: wideInteger.optional(),
  /** What Tidemark did not write, or cannot read; it is never touched. */
  unknown: count.optional(),
  examples: list(text(1024), 5).optional(),
  /** Backups whose manifest cannot be read; they are looked at again. */
  unreadable: list(text(1024), 16).optional(),
  /** What the last sync did: BackupRuns that were made, and those whose backup is not there any more. */
  made: count.optional(),
  lost: count.optional(),
  report: agentReport.optional(),
});

export type CatalogueStatus = z.output<typeof catalogueStatus>;
