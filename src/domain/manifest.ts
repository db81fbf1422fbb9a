import { z } from 'zod';

/** docs/repository-format.md describes every field; a reader must refuse a `format` it does not know. */
export const manifestFormat = 1;
/** That of a base backup in streams, which nobody may take for chunks. */
export const streamsFormat = 2;
/** That of an increment, in chunks or in streams: without its parents it is no server. */
export const incrementFormat = 3;
export const knownFormats = [manifestFormat, streamsFormat, incrementFormat] as const;

const sha256 = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** Names no hidden, no parent and no empty folder: a manifest of a hostile repository leads nowhere else. */
const segment = '[A-Za-z0-9_%][A-Za-z0-9_%.=-]*';

/** One stored object. `path` is relative to the backup's folder. Sizes are bytes. */
export const storedObject = z.object({
  path: z.string().regex(new RegExp(`^${segment}(/${segment})*$`)),
  size: z.int().nonnegative(),
  /** Of the object as it is stored. */
  sha256,
});

const database = z.object({
  name: z.string(),
  format: z.enum(['Plain', 'Custom', 'Directory', 'Tar']),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  owner: z.string(),
  /** A locale provider other than libc, which a Plain dump without CREATE DATABASE does not tell of. */
  localeProvider: z
    .object({ name: z.enum(['icu', 'builtin']), locale: z.string(), rules: z.string().optional() })
    .optional(),
  /** With their versions, which no dump tells of. */
  extensions: z.array(z.object({ name: z.string(), version: z.string() })).optional(),
  /** pg_database_size() before the dump. */
  bytes: z.int().nonnegative(),
  /** Plain, Custom, Tar: one object. Directory: whole tar sequences, to be unpacked into one folder in any order. */
  objects: z.array(storedObject).min(1),
  /** The table of contents as `pg_restore --list` prints it. */
  contents: storedObject,
});

const failedDatabase = z.object({ name: z.string(), reason: z.string(), message: z.string() });

const logicalBackup = z.object({
  databases: z.array(database),
  /** Databases that the policy means and that are not here: then the run failed, and those that are here stay usable. */
  failed: z.array(failedDatabase).optional(),
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

/** One tar, packed in one piece by the server and stored in parts, which give the whole one after another. */
const stream = z.object({
  /** OID of the tablespace whose files these are; absent for the data directory. */
  tablespace: z
    .string()
    .regex(/^[0-9]+$/)
    .optional(),
  /** Of the tar before it was packed. */
  bytes: z.int().nonnegative(),
  /** In their order. None can be unpacked without those before it. */
  parts: z.array(storedObject).min(1),
});

/** What a base backup needs to become a server again. */
const physicalBackup = z.object({
  /** Of format 1. */
  chunks: z.array(chunk),
  /** Of format 2, which has no chunks. */
  streams: z.array(stream).optional(),
  /** Who packed it; with the policy's physical.compress Server, `because` says why it was the agent nevertheless. */
  packing: z.object({ by: z.enum(['Client', 'Server']), because: z.string().optional() }).optional(),
  tablespaces: z.array(z.object({ oid: z.string().regex(/^[0-9]+$/), location: z.string() })),
  /** The server's own list of files with their checksums, packed. */
  backupManifest: storedObject,
  /**
   * Of an encrypted backup that may become a parent: what an increment needs of `backupManifest` (the files' names and
   * sizes, and the WAL), not encrypted, since who makes backups has no identity.
   */
  fileList: storedObject.optional(),
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
  /** Bytes: a power of two, 1 MiB to 1 GiB (PostgreSQL, "initdb", --wal-segsize). */
  segmentSize: z.int().refine((size) => size >= 2 ** 20 && size <= 2 ** 30 && (size & (size - 1)) === 0),
  dataDirectory: z.string(),
  /** Numeric owner of the data directory's files. */
  owner: z.object({ uid: z.int().nonnegative(), gid: z.int().nonnegative() }),
  dataChecksums: z.boolean(),
  /** Pages whose checksum was wrong: the backup is complete, and holds them as they were. */
  checksumFailures: z.int().nonnegative(),
  /** Of the server at the backup's end: those that replay needs at least as high, and what a person asks for. */
  settings: z.record(z.string(), z.string()),
});

const encryption = z.object({
  scheme: z.enum(['age', 'gpg']),
  /** The public keys, of gpg the fingerprints, that every object of the backup was encrypted for. */
  recipients: z.array(z.string()).min(1),
});

const common = {
  backupID: z.string(),
  namespace: z.string(),
  policy: z.string(),
  run: z.string(),
  startTime: z.iso.datetime(),
  completionTime: z.iso.datetime(),
  server: z.object({
    version: z.string(),
    systemIdentifier: z.string().regex(/^[0-9]{1,20}$/),
    timeline: z.int(),
    role: z.enum(['Primary', 'Standby']),
  }),
  compression: z.object({ algorithm: z.enum(['zstd', 'gzip', 'lz4', 'none']), level: z.int().optional() }),
  /** Of every object, packed before; absent: they are stored as they were packed. */
  encryption: encryption.optional(),
  size: z.object({ source: z.int().nonnegative(), stored: z.int().nonnegative() }),
};

const logicalManifest = z.object({
  ...common,
  format: z.literal(manifestFormat),
  method: z.literal('Logical'),
  type: z.literal('Full'),
  logical: logicalBackup,
});
const physicalManifest = z
  .object({
    ...common,
    format: z.literal(knownFormats),
    method: z.literal('Physical'),
    type: z.enum(['Full', 'Differential', 'Incremental']),
    /** Of an increment: the backup that it is the difference to, and the digest of that one's manifest.json. */
    parentBackupID: z.string().optional(),
    parentChecksum: sha256.optional(),
    physical: physicalBackup,
  })
  .refine(
    ({ format, physical: { chunks, streams = [] } }) => {
      if (format === manifestFormat) return streams.length === 0 && chunks.length > 0;
      if (format === streamsFormat) return streams.length > 0 && chunks.length === 0;
      return streams.length > 0 !== chunks.length > 0;
    },
    { path: ['physical'], message: 'format 1 has chunks, format 2 has streams, format 3 one of them' },
  )
  .refine(
    ({ format, type, parentBackupID, parentChecksum }) => {
      const isIncrement = format === incrementFormat;
      return [type !== 'Full', parentBackupID !== undefined, parentChecksum !== undefined].every(
        (each) => each === isIncrement,
      );
    },
    { path: ['parentBackupID'], message: 'format 3, and no other, is an increment, and names its parent' },
  );

export const manifest = z.discriminatedUnion('method', [logicalManifest, physicalManifest]);

export type LogicalManifest = z.output<typeof logicalManifest>;
export type PhysicalManifest = z.output<typeof physicalManifest>;
export type PhysicalBackup = z.output<typeof physicalBackup>;
export type Chunk = z.output<typeof chunk>;
export type PackedStream = z.output<typeof stream>;
export type Manifest = z.output<typeof manifest>;
export type StoredObject = z.output<typeof storedObject>;
export type ManifestDatabase = z.output<typeof database>;
export type FailedDatabase = z.output<typeof failedDatabase>;

/** The tars of a base backup, as they are stored. */
export function baseObjects({ chunks, streams = [] }: PhysicalBackup): readonly StoredObject[] {
  return [...chunks, ...streams.flatMap(({ parts }) => parts)];
}

/** Bytes of those tars before they were packed. */
export function baseBytes({ chunks, streams = [] }: PhysicalBackup): number {
  return [...chunks, ...streams].reduce((sum, { bytes }) => sum + bytes, 0);
}
