import { transient } from '../../domain/failure.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import type { ArchiveSource, BackupEvent, Position } from '../../postgres/replication/base-backup.ts';
import { type Compression, compressedSuffix, compressor } from '../../stream/compress.ts';
import { storeStream } from '../backup/store-stream.ts';
import { alive, type Target } from '../backup/targets.ts';
import { createChunkSink, createStreamSink, type StoredArchives } from './archive-sinks.ts';
import type { Owner } from './cut-tar.ts';
import { createFeed, type Feed } from './feed.ts';
import { storeFileList } from './file-list.ts';
import type { Packing } from './packing.ts';

export interface CopyOptions {
  readonly targets: readonly Target[];
  readonly compression: Compression;
  /** Whether the tars come packed. */
  readonly packedBy: Packing['by'];
  /** Whether an increment may come to stand on it: then the list of its files is stored readable for that. */
  readonly listFiles: boolean;
  readonly signal: AbortSignal;
  readonly onStart: (start: Position) => Promise<void>;
  /** Bytes in all, and how many have been copied. */
  readonly onSources: (total: number, copied: () => number) => Promise<void>;
  readonly onWarning: (text: string) => void;
  readonly onEnd: (end: Position) => void;
}

export interface CopiedBase extends StoredArchives {
  readonly backupManifest: StoredObject;
  /** Where `backupManifest` is encrypted and an increment may come to stand on the backup. */
  readonly fileList?: StoredObject;
  readonly tablespaces: readonly { readonly oid: string; readonly location: string }[];
  readonly owner: Owner;
}

/** Stores what BASE_BACKUP sends: the tars, and the server's manifest. Every process has ended when it settles. */
export async function copyBase(events: AsyncIterable<BackupEvent>, options: CopyOptions): Promise<CopiedBase> {
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const fail = (error: unknown) => stopping.abort(error);
  const sinks = createSinks({ ...options, signal }, fail);
  try {
    for await (const event of events) {
      signal.throwIfAborted();
      const waiting = event.kind === 'Data' ? sinks.write(event.data) : takeEvent(event, sinks, options);
      if (waiting !== undefined) await waiting;
    }
    return await sinks.finish();
  } catch (error) {
    // The first error is why; what it brought down says less.
    stopping.abort(error);
    throw options.signal.aborted ? options.signal.reason : stopping.signal.reason;
  } finally {
    await sinks.settled();
  }
}

type RareEvent = Exclude<BackupEvent, { readonly kind: 'Data' }>;

async function takeEvent(event: RareEvent, sinks: Sinks, options: CopyOptions): Promise<void> {
  switch (event.kind) {
    case 'Archive':
      return sinks.beginArchive(event.oid);
    case 'Manifest':
      return sinks.beginManifest();
    case 'Start':
      return options.onStart(event);
    case 'Sources':
      sinks.expect(event.sources);
      return options.onSources(totalOf(event.sources), sinks.copied);
    case 'Warning':
      return options.onWarning(event.text);
    case 'End':
      return options.onEnd(event);
    case 'Progress':
      return sinks.progress(event.bytes);
  }
}

function totalOf(sources: readonly ArchiveSource[]): number {
  return sources.reduce((sum, { size }) => sum + size, 0);
}

interface Sinks {
  expect(sources: readonly ArchiveSource[]): void;
  beginArchive(oid: string | undefined): void;
  beginManifest(): void;
  write(data: Buffer): Promise<void> | undefined;
  progress(bytes: number): void;
  copied(): number;
  finish(): Promise<CopiedBase>;
  settled(): Promise<void>;
}

type SinkOptions = Pick<CopyOptions, 'targets' | 'compression' | 'packedBy' | 'listFiles' | 'signal'>;

function createSinks(options: SinkOptions, fail: (error: unknown) => void): Sinks {
  const archives = (options.packedBy === 'Server' ? createStreamSink : createChunkSink)({ ...options, fail });
  let sources: readonly ArchiveSource[] = [];
  let manifest: ManifestSink | undefined;
  return {
    expect(expected) {
      sources = expected;
    },
    beginArchive(oid) {
      archives.end();
      archives.begin(oid, totalOf(sources));
    },
    beginManifest() {
      archives.end();
      manifest = storeManifest(options, fail);
    },
    write: (data) => (manifest === undefined ? archives.write(data) : manifest.write(data)),
    progress: archives.progress,
    copied: archives.copied,
    async finish() {
      archives.end();
      manifest?.feed.end();
      const stored = await archives.finish();
      const backupManifest = await manifest?.stored;
      options.signal.throwIfAborted();
      const owner = archives.owner();
      if (backupManifest === undefined || owner === undefined) {
        throw transient('CutShort', 'The server sent a base backup without files or without its manifest.');
      }
      const tablespaces = sources.flatMap(({ oid, location }) =>
        oid === undefined || location === undefined ? [] : [{ oid, location }],
      );
      const fileList = await manifest?.storeList();
      return { ...stored, backupManifest, ...(fileList === undefined ? {} : { fileList }), tablespaces, owner };
    },
    async settled() {
      await archives.settled();
      await manifest?.stored;
    },
  };
}

interface ManifestSink {
  readonly feed: Feed;
  write(data: Buffer): Promise<void> | undefined;
  /** undefined where it failed, which `fail` was told. */
  readonly stored: Promise<StoredObject | undefined>;
  /** Once it is stored: what of it is to be readable without an identity. */
  storeList(): Promise<StoredObject | undefined>;
}

function storeManifest(options: SinkOptions, fail: (error: unknown) => void): ManifestSink {
  const { targets, compression, listFiles, signal } = options;
  const feed = createFeed(signal);
  const path = `base/backup_manifest${compressedSuffix(compression)}`;
  const stages = [compressor(compression)];
  const stored = storeStream({ targets, path, stages, input: feed.stream, signal }).catch((error: unknown) => {
    fail(error);
    return undefined;
  });
  const kept: Buffer[] | undefined =
    listFiles && alive(targets).some(({ encryption }) => encryption !== undefined) ? [] : undefined;
  return {
    feed,
    write(data) {
      // A copy: the memory that a message lies in is used again.
      kept?.push(Buffer.from(data));
      return feed.write(data);
    },
    stored,
    storeList: async () => (kept === undefined ? undefined : storeFileList(Buffer.concat(kept), options)),
  };
}
