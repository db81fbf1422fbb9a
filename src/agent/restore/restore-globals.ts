import { Failure, terminal } from '../../domain/failure.ts';
import type { LogicalManifest } from '../../domain/manifest.ts';
import type { Query } from '../../postgres/query.ts';
import { fetchText } from './fetch-archive.ts';
import type { BackupFolder } from './fetch-object.ts';
import { type GlobalsPlan, planGlobals } from './plan-globals.ts';
import { splitStatements } from './sql-statements.ts';
import type { TargetServer } from './target-server.ts';

/** Roles and tablespaces of the backup against those of the server. */
export async function readGlobals(
  from: BackupFolder,
  { logical, backupID }: LogicalManifest,
  server: TargetServer,
  signal: AbortSignal,
): Promise<GlobalsPlan> {
  if (logical.globals === undefined) {
    throw terminal(
      'NoGlobals',
      `globals: Restore was asked for, but backup ${backupID} holds no roles (its policy has logical.globals: None). Nothing was changed. Set globals: Skip, or choose a backup that has them.`,
    );
  }
  const script = await fetchText(from, logical.globals, signal);
  requireUtf8(script);
  return planGlobals(script, server);
}

function requireUtf8(script: string): void {
  const setting = splitStatements(script)
    .find(({ text }) => /^SET client_encoding\b/i.test(text))
    ?.tokens.at(-1)?.value;
  if (setting === undefined || /^(UTF8|SQL_ASCII)$/i.test(setting)) return;
  throw terminal(
    'NotImplemented',
    `The roles of the backup are written in the encoding ${setting}, and globals: Restore takes UTF8 only. Nothing was changed. Set globals: Skip and make the roles by hand (globals.sql in the backup’s folder).`,
  );
}

/** Runs what is planned, one by one; gives the errors. What a statement says is kept to itself: it may hold a password. */
export async function restoreGlobals({ statements }: GlobalsPlan, query: Query): Promise<readonly string[]> {
  const errors: string[] = [];
  for (const { text, subject } of statements) {
    try {
      await query(text);
    } catch (error) {
      if (!(error instanceof Failure) || isConnectionFault(error)) throw error;
      errors.push(`${subject}: ${error.message}`);
    }
  }
  return errors;
}

function isConnectionFault({ reason }: Failure): boolean {
  return /^(Connection|Server|Host|Tls)/.test(reason);
}
