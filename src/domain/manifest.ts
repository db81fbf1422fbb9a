import { z } from 'zod';

/** docs/repository-format.md describes every field; a reader must refuse a `format` it does not know. */
export const manifestFormat = 1;

const sha256 = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** Names no hidden, no parent and no empty folder: a manifest of a hostile repository leads nowhere else. */
const segment = '[A-Za-z0-9_%][A-Za-z0-9_%.=-]*';

/** One stored object. `path` is relative to the backup's folder. Sizes are bytes. */
const storedObject = z.object({
  path: z.string().regex(new RegExp(`^${segment}(/${segment})*$`)),
  size: z.int().nonnegative(),
  /** Of the object as it is stored. */
  sha256,
});

const database = z.object({
  name: z.string(),
  format: z.enum(['Custom', 'Directory']),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  owner: z.string(),
  /** pg_database_size() before the dump. */
  bytes: z.int().nonnegative(),
  /** Custom: one object. Directory: whole tar sequences, to be unpacked into one folder in any order. */
  objects: z.array(storedObject).min(1),
  /** The table of contents as `pg_restore --list` prints it. */
  contents: storedObject,
});

const logicalBackup = z.object({
  databases: z.array(database),
  globals: storedObject.extend({ withPasswords: z.boolean() }).optional(),
  /** `pg_dump --version` of the tool that wrote it; restores need this major or a later one. */
  tool: z.string(),
});

export const manifest = z.object({
  format: z.literal(manifestFormat),
  backupID: z.string(),
  method: z.literal('Logical'),
  type: z.literal('Full'),
  namespace: z.string(),
  policy: z.string(),
  run: z.string(),
  startTime: z.string(),
  completionTime: z.string(),
  server: z.object({
    version: z.string(),
    systemIdentifier: z.string(),
    timeline: z.int(),
    role: z.enum(['Primary', 'Standby']),
  }),
  compression: z.object({ algorithm: z.enum(['zstd', 'none']), level: z.int().optional() }),
  size: z.object({ source: z.int().nonnegative(), stored: z.int().nonnegative() }),
  logical: logicalBackup,
});

export type Manifest = z.output<typeof manifest>;
export type StoredObject = z.output<typeof storedObject>;
export type ManifestDatabase = z.output<typeof database>;
