import { transient } from '../../domain/failure.ts';
import type { Chunk, StoredObject } from '../../domain/manifest.ts';
import type { ArchiveSource, BackupEvent, Position } from '../../postgres/replication/base-backup.ts';
import { compressedSuffix, compressor } from '../../stream/compress.ts';
import type { StreamCompression } from '../backup/dump.ts';
import { storeStream } from '../backup/store-stream.ts';
import type { Target } from '../backup/targets.ts';
import { chunkTarget } from './chunk-target.ts';
import { createTarCutter, type TarCutter } from './cut-tar.ts';
import { createFeed, type Feed } from './feed.ts';
import { type ChunkStore, createChunkStore } from './store-chunks.ts';

export interface CopyOptions {
  readonly targets: readonly Target[];
  readonly compression: StreamCompression;
  readonly signal: AbortSignal;
  readonly onStart: (start: Position) => Promise<void>;
  /** Bytes in all, and how many have been copied. */
  readonly onSources: (total: number, copied: () => number) => Promise<void>;
  readonly onWarning: (text: string) => void;
  readonly onEnd: (end: Position) => void;
}

export interface CopiedBase {
  readonly chunks: readonly Chunk[];
  readonly backupManifest: StoredObject;
  readonly tablespaces: readonly { readonly oid: string; readonly location: string }[];
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** Stores what BASE_BACKUP sends: the tars as chunks, and the server's manifest. Every process has ended when it settles. */
export async function copyBase(events: AsyncIterable<BackupEvent>, options: CopyOptions): Promise<CopiedBase> {
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const fail = (error: unknown) => stopping.abort(error);
  const sinks = createSinks({ ...options, signal }, fail);
  try {
    for await (const event of events) {
      signal.throwIfAborted();
      await takeEvent(event, sinks, options);
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

async function takeEvent(event: BackupEvent, sinks: Sinks, options: CopyOptions): Promise<void> {
  switch (event.kind) {
    case 'Data':
      return sinks.write(event.data);
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
  }
}

function totalOf(sources: readonly ArchiveSource[]): number {
  return sources.reduce((sum, { size }) => sum + size, 0);
}

interface Sinks {
  expect(sources: readonly ArchiveSource[]): void;
  beginArchive(oid: string | undefined): void;
  beginManifest(): void;
  write(data: Buffer): Promise<void>;
  copied(): number;
  finish(): Promise<CopiedBase>;
  settled(): Promise<void>;
}

type SinkOptions = Pick<CopyOptions, 'targets' | 'compression' | 'signal'>;

function createSinks(options: SinkOptions, fail: (error: unknown) => void): Sinks {
  const chunks: ChunkStore = createChunkStore({ ...options, fail });
  let sources: readonly ArchiveSource[] = [];
  let archive: { readonly oid: string | undefined; readonly cutter: TarCutter } | undefined;
  let manifest: ManifestSink | undefined;
  let owner: CopiedBase['owner'] | undefined;
  let copied = 0;
  const endArchive = () => {
    archive?.cutter.end();
    // That of the data directory, where there are tablespaces too.
    if (owner === undefined || archive?.oid === undefined) owner = archive?.cutter.owner() ?? owner;
    archive = undefined;
    chunks.close();
  };
  return {
    expect(expected) {
      sources = expected;
    },
    beginArchive(oid) {
      endArchive();
      archive = { oid, cutter: createTarCutter(chunkTarget(totalOf(sources))) };
    },
    beginManifest() {
      endArchive();
      manifest = storeManifest(options, fail);
    },
    async write(data) {
      if (archive === undefined) return manifest?.feed.write(data);
      copied += data.length;
      for (const piece of archive.cutter.push(data)) {
        if (piece === 'Cut') chunks.close();
        else await chunks.write(archive.oid, piece);
      }
    },
    copied: () => copied,
    async finish() {
      endArchive();
      manifest?.feed.end();
      const stored = await chunks.finish();
      const backupManifest = await manifest?.stored;
      options.signal.throwIfAborted();
      if (backupManifest === undefined || owner === undefined) {
        throw transient('CutShort', 'The server sent a base backup without files or without its manifest.');
      }
      const tablespaces = sources.flatMap(({ oid, location }) =>
        oid === undefined || location === undefined ? [] : [{ oid, location }],
      );
      return { chunks: stored, backupManifest, tablespaces, owner };
    },
    async settled() {
      await chunks.settled();
      await manifest?.stored;
    },
  };
}

interface ManifestSink {
  readonly feed: Feed;
  /** undefined where it failed, which `fail` was told. */
  readonly stored: Promise<StoredObject | undefined>;
}

function storeManifest({ targets, compression, signal }: SinkOptions, fail: (error: unknown) => void): ManifestSink {
  const feed = createFeed(signal);
  const path = `base/backup_manifest${compressedSuffix(compression)}`;
  const stages = [compressor(compression)];
  const stored = storeStream({ targets, path, stages, input: feed.stream, signal }).catch((error: unknown) => {
    fail(error);
    return undefined;
  });
  return { feed, stored };
}
