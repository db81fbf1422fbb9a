import type { Logical } from '../../api/logical.ts';
import { Failure } from '../../domain/failure.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { failureOfTool } from '../../postgres/failure.ts';
import type { LibpqFiles, Tool } from '../../postgres/tools.ts';
import type { Compression } from '../../stream/compress.ts';
import { StageFailed } from '../../stream/stage-failed.ts';
import type { Database } from './databases.ts';
import type { Meter } from './meter.ts';
import type { Target } from './targets.ts';

/** All that the dump of one database needs. */
export interface DumpJob {
  readonly access: ServerAccess;
  readonly files: LibpqFiles;
  readonly tools: { readonly dump: Tool; readonly restore: Tool };
  readonly database: Database;
  readonly logical: Logical;
  readonly compression: Compression;
  readonly targets: readonly Target[];
  readonly meter: Meter;
  /** For the meter's step, such as `dumping orders (2 of 5)`. */
  readonly step: string;
  /** An empty private folder for staged files. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

export interface Dumped {
  readonly objects: readonly StoredObject[];
  readonly contents: StoredObject;
  /** What pg_dump complained of, though it succeeded: it may have left something out. */
  readonly warnings: readonly string[];
}

/** What a tool that succeeded warns of on its standard error, each thing once. */
export function warningsOf(stderr = ''): readonly string[] {
  const said = stderr.split('\n').flatMap((line) => /^pg_\w+: warning: (.+)$/.exec(line)?.[1] ?? []);
  return [...new Set(said)];
}

/** The failure of a process as what it means for this database; everything else stays what it is. */
export function failureOfStage(error: unknown, access: ServerAccess, database: string): unknown {
  if (!(error instanceof StageFailed) || error instanceof Failure) return error;
  const { command, exitCode, signal, stderr } = error;
  const how =
    exitCode === undefined
      ? signal === undefined
        ? 'could not be started'
        : `was killed by ${signal}`
      : `exited with code ${exitCode}`;
  return failureOfTool({ tool: command, how, stderr, cause: error }, { access, database });
}
