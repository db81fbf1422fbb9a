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

const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
const segment24 = z.string().regex(/^[0-9A-F]{24}$/);

/** A whole tar sequence: its members can be unpacked without any other chunk, in any order. */
const chunk = storedObject.extend({
  /** OID of the tablespace whose files these are; absent for the data directory. */
  tablespace: z
    .string()
    .regex(/^[0-9]+$/)
    .optional(),
  /** Of the tar before it was packed. */
  bytes: z.int().nonnegative(),
});

/** What a base backup needs to become a server again. */
const physicalBackup = z.object({
  chunks: z.array(chunk).min(1),
  tablespaces: z.array(z.object({ oid: z.string().regex(/^[0-9]+$/), location: z.string() })),
  /** The server's own list of files with their checksums, packed. */
  backupManifest: storedObject,
  /** Archive: the WAL lies in the archive. Fetch: it is in the data directory's tar. Stream: in `wal`. */
  walMethod: z.enum(['Archive', 'Fetch', 'Stream']),
  /** Packed segments and history files under their own names, for walMethod Stream. */
  wal: z.array(storedObject),
  beginLSN: lsn,
  endLSN: lsn,
  beginSegment: segment24,
  endSegment: segment24,
  /** The timeline on which it ended. */
  timeline: z.int().positive(),
  /** Bytes. */
  segmentSize: z.int().positive(),
  dataDirectory: z.string(),
  /** Numeric owner of the data directory's files. */
  owner: z.object({ uid: z.int().nonnegative(), gid: z.int().nonnegative() }),
  dataChecksums: z.boolean(),
  /** Pages whose checksum was wrong: the backup is complete, and holds them as they were. */
  checksumFailures: z.int().nonnegative(),
  /** Of the server at the backup's end: those that replay needs at least as high, and what a person asks for. */
  settings: z.record(z.string(), z.string()),
});

const common = {
  format: z.literal(manifestFormat),
  backupID: z.string(),
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
};

const logicalManifest = z.object({ ...common, method: z.literal('Logical'), logical: logicalBackup });
const physicalManifest = z.object({ ...common, method: z.literal('Physical'), physical: physicalBackup });

export const manifest = z.discriminatedUnion('method', [logicalManifest, physicalManifest]);

export type LogicalManifest = z.output<typeof logicalManifest>;
export type PhysicalManifest = z.output<typeof physicalManifest>;
export type PhysicalBackup = z.output<typeof physicalBackup>;
export type Chunk = z.output<typeof chunk>;
export type Manifest = z.output<typeof manifest>;
export type StoredObject = z.output<typeof storedObject>;
export type ManifestDatabase = z.output<typeof database>;
