/**
 * Where bytes are kept. Keys are relative to the repository's prefix, use '/', and have been made by domain/layout.ts.
 * Every method rejects with a Failure (domain/failure.ts): NoSuchBucket, AccessDenied, StoreUnreachable, NoSuchObject,
 * ObjectExists, StoreFull, ChecksumMismatch, … and takes an AbortSignal.
 */
export interface Store {
  /** For messages: s3://bucket/prefix, or the claim's name and path. */
  readonly description: string;

  /**
   * Stores one small object whole and durably. `ifAbsent`: an existing key is an ObjectExists failure and stays as it is.
   */
  put(key: string, body: Buffer, options: PutOptions): Promise<void>;

  /**
   * Stores a stream of unknown length, in bounded memory, durable and checked by the store when it resolves. If the
   * stream fails or the signal aborts, nothing stays under the key and nothing of the upload is left behind.
   * An existing key is never overwritten (ObjectExists).
   */
  upload(key: string, body: AsyncIterable<Buffer>, options: UploadOptions): Promise<Uploaded>;

  /** The object's bytes in order; rejects with NoSuchObject before the first byte where it does not exist. */
  download(key: string, options: DownloadOptions): Promise<AsyncIterable<Buffer>>;

  /** A small object whole (at most 64 MiB; a larger one is refused). */
  get(key: string, options: CallOptions): Promise<Buffer>;

  /** undefined where it does not exist. */
  head(key: string, options: CallOptions): Promise<StoredSize | undefined>;

  /** Every object under a folder (`prefix` ends in '/'), in key order, page by page. */
  list(prefix: string, options: CallOptions): AsyncIterable<Listed>;

  /** The names of the folders directly under a folder (`prefix` is '' or ends in '/'). */
  listFolders(prefix: string, options: CallOptions): AsyncIterable<string>;

  /** Deletes the keys that exist; missing ones are fine. */
  delete(keys: readonly string[], options: CallOptions): Promise<void>;

  /** Ends unfinished multipart uploads (or temporary files) under a folder that began before `before`; returns how many. */
  sweepUnfinished(prefix: string, before: Date, options: CallOptions): Promise<number>;

  /**
   * Whether the store itself refuses a conditional put of a key that exists, found out by trying (the key's content may
   * be lost). Absent where it always does, as a file system.
   */
  refusesSecondPut?(key: string, options: CallOptions): Promise<boolean>;

  /**
   * Where several repositories are read as one: what is read of this key from now on comes from another than before, since
   * that was damaged; false where there is no other. Absent where there is one alone.
   */
  passOver?(key: string, why: Error): boolean;

  close(): Promise<void>;
}

export interface CallOptions {
  readonly signal: AbortSignal;
}

export interface DownloadOptions extends CallOptions {
  /** Takes less memory and is slower: little is fetched before it is asked for. */
  readonly sparing?: boolean;
  /** A piece is read only until the next one is asked for, so that its memory may be used again. */
  readonly lent?: boolean;
}

export interface PutOptions extends CallOptions {
  readonly ifAbsent: boolean;
  readonly contentType?: string;
}

export interface UploadOptions extends CallOptions {
  /** Called with the bytes of this upload that the store has acknowledged so far. */
  readonly onProgress?: (stored: number) => void;
  /** How many uploads the caller has under way at a time, which share the memory of one; default 1. */
  readonly concurrent?: number;
}

export interface Uploaded {
  readonly size: number;
  /** `sha256:` and the hex digest of the bytes as stored. */
  readonly sha256: string;
}

export interface StoredSize {
  readonly size: number;
  /** When the store got it; absent where only a listing tells. */
  readonly lastModified?: Date;
  /** Where the store says that nobody may delete it: until when, undefined for a lock without an end. */
  readonly lock?: { readonly until: Date | undefined };
}

export interface Listed {
  readonly key: string;
  readonly size: number;
  readonly lastModified: Date;
}
