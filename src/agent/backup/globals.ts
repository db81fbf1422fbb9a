import type { Logical } from '../../api/logical.ts';
import { Failure } from '../../domain/failure.ts';
import type { LogicalManifest } from '../../domain/manifest.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { withConnection } from '../../postgres/query.ts';
import { conninfo, type LibpqFiles, libpqEnvironment, type Tool } from '../../postgres/tools.ts';
import { type Compression, compressedSuffix, compressor } from '../../stream/compress.ts';
import { failureOfStage } from './dump.ts';
import { storeChecked } from './store-checked.ts';
import type { Target } from './targets.ts';

type Scope = Exclude<Logical['globals'], 'None'>;

export interface GlobalsJob {
  readonly access: ServerAccess;
  /** The database to connect to. */
  readonly database: string;
  readonly files: LibpqFiles;
  readonly tool: Tool;
  readonly scope: Scope;
  readonly compression: Compression;
  readonly targets: readonly Target[];
  readonly signal: AbortSignal;
}

/**
 * pg_dumpall's roles and tablespaces. Passwords need the right to read pg_authid; without it they are left out, and the
 * manifest says so. It is not of the same instant as any database's dump: nothing can be.
 */
export async function dumpGlobals(job: GlobalsJob): Promise<NonNullable<LogicalManifest['logical']['globals']>> {
  const { access, database, scope, signal } = job;
  if (scope === 'Tablespaces' || !(await mayReadPasswords(access, database, signal))) return store(job, false);
  try {
    return await store(job, true);
  } catch (error) {
    // A server may guard pg_authid by other means than a grant.
    if (!(error instanceof Failure) || error.reason !== 'PermissionDenied') throw error;
    return store(job, false);
  }
}

async function store(job: GlobalsJob, withPasswords: boolean) {
  const { access, database, files, tool, scope, compression, targets, signal } = job;
  try {
    const stored = await storeChecked({
      targets,
      path: `globals.sql${compressedSuffix(compression)}`,
      stages: [
        {
          command: tool.path,
          args: globalsArgs(scope, database, withPasswords),
          env: libpqEnvironment(access, database, files),
        },
        compressor(compression),
      ],
      signal,
    });
    return { ...stored, withPasswords };
  } catch (error) {
    throw failureOfStage(error, access, database);
  }
}

const scopes: Readonly<Record<Scope, string>> = {
  All: '--globals-only',
  Roles: '--roles-only',
  Tablespaces: '--tablespaces-only',
};

export function globalsArgs(scope: Scope, database: string, withPasswords: boolean): readonly string[] {
  return [
    '--no-password',
    scopes[scope],
    // Without it, pg_dumpall wants a database named postgres. It reads the value as a connection string.
    `--database=${conninfo(database)}`,
    ...(withPasswords || scope === 'Tablespaces' ? [] : ['--no-role-passwords']),
  ];
}

async function mayReadPasswords(access: ServerAccess, database: string, signal: AbortSignal): Promise<boolean> {
  return withConnection(access, database, signal, async (query) => {
    const [row] = await query<{ allowed: boolean }>(
      "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS allowed",
    );
    return row?.allowed === true;
  });
}
