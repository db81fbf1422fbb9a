import { randomUUID } from 'node:crypto';
import type { Dispatcher } from 'undici';
import { Failure, terminal, transient } from '../domain/failure.ts';
import { crc32c, formatCrc32c } from './crc32c.ts';
import type { GcsConnection, GcsSend } from './gcs-connection.ts';
import {
  checkStored,
  deleteGcs,
  gcsExists,
  headGcs,
  putGcs,
  readResource,
  requireOurs,
  writeMark,
} from './gcs-write.ts';
import type { BufferPool } from './part-buffers.ts';
import type { Uploaded, UploadOptions } from './store.ts';
import { uploadInParts } from './upload-parts.ts';

/** A multiple of 256 KiB, as the protocol wants all pieces but the last. */
const partSize = 16 * 1024 ** 2;

interface Session {
  readonly gcs: GcsConnection;
  readonly key: string;
  readonly mark: string;
  /** Of the parts so far. */
  crc: number;
  /** The store's own answer to the last piece. */
  stored: unknown;
}

/**
 * A stream of unknown length by a resumable upload: one piece after the other, while the next is being read. Nothing is
 * there before the last piece; a session that is left behind cannot be listed, costs nothing and ends after a week.
 */
export function uploadGcs(
  gcs: GcsConnection,
  pool: BufferPool,
  key: string,
  body: AsyncIterable<Buffer>,
  options: UploadOptions,
): Promise<Uploaded> {
  const session: Session = { gcs, key, mark: randomUUID(), crc: 0, stored: undefined };
  return uploadInParts(
    {
      partSize: () => partSize,
      oneByOne: true,
      async requireAbsent(signal) {
        if ((await headGcs(gcs, key, signal)) !== undefined) throw gcsExists(gcs, key);
      },
      storeWhole: (whole, signal) => putGcs(gcs, { key, body: whole, ifAbsent: true, signal }),
      begin: (signal) => begin(session, signal),
      async sendPart(address, { bytes, offset, last }, signal) {
        session.crc = crc32c(bytes, session.crc);
        await sendPiece(session, address, { bytes, offset, total: last ? offset + bytes.length : undefined }, signal);
      },
      complete: (address, _, size, signal) => finish(session, address, size, signal),
      removeTraces: (address, size) => removeTraces(session, address, size),
    },
    pool,
    gcs.nameOf(key),
    body,
    options,
  );
}

function begin({ gcs, key, mark }: Session, signal: AbortSignal): Promise<string> {
  return gcs.run({ operation: 'begin the upload of', key, signal }, async (send) => {
    const about = { name: gcs.fullKey(key), metadata: { [writeMark]: mark } };
    const answer = await send({
      method: 'POST',
      path: gcs.uploadPath,
      query: { uploadType: 'resumable', ifGenerationMatch: '0' },
      headers: { 'content-type': 'application/json; charset=UTF-8' },
      body: [Buffer.from(JSON.stringify(about))],
    });
    await answer.body.dump();
    const { location } = answer.headers;
    if (typeof location === 'string') return location;
    throw terminal('NotSupported', 'The store did not begin a resumable upload. Use one that knows them.');
  });
}

interface Piece {
  readonly bytes: Buffer;
  readonly offset: number;
  /** Of the whole object, with the last piece. */
  readonly total: number | undefined;
}

/** After a failure the store is asked how much it has, and gets the rest. */
async function sendPiece(session: Session, address: string, piece: Piece, signal: AbortSignal): Promise<void> {
  const { gcs, key } = session;
  const { bytes, offset, total } = piece;
  const end = offset + bytes.length;
  let again = false;
  await gcs.run({ operation: 'store a part of', key, signal }, async (send) => {
    let have: number | 'whole' = again ? await askStored(session, send, address) : offset;
    again = true;
    while (have !== 'whole' && (have < end || total !== undefined)) {
      if (have < offset)
        throw transient('UploadLost', `${gcs.nameOf(key)}: the store has lost what it had acknowledged. Start again.`);
      const rest = bytes.subarray(have - offset);
      const range = rest.length === 0 ? '*' : `${have}-${end - 1}`;
      const next: number | 'whole' = await put(session, send, address, `bytes ${range}/${total ?? '*'}`, rest);
      if (next === have)
        throw transient('StoreError', `${gcs.nameOf(key)}: the store takes no more bytes of the upload.`);
      have = next;
    }
  });
}

function askStored(session: Session, send: GcsSend, address: string): Promise<number | 'whole'> {
  return put(session, send, address, 'bytes */*', Buffer.alloc(0));
}

/** How many bytes the store has, or that it has all and made the object. */
async function put(
  session: Session,
  send: GcsSend,
  address: string,
  range: string,
  bytes: Buffer,
): Promise<number | 'whole'> {
  const answer = await send({
    method: 'PUT',
    path: address,
    headers: { 'content-range': range },
    body: [bytes],
    also: [308],
  });
  if (answer.statusCode !== 308) {
    session.stored = await answer.body.json();
    return 'whole';
  }
  await answer.body.dump();
  return storedOf(answer.headers);
}

function storedOf({ range }: Dispatcher.ResponseData['headers']): number {
  const last = typeof range === 'string' ? range.match(/^bytes=0-(\d+)$/)?.[1] : undefined;
  return last === undefined ? 0 : Number(last) + 1;
}

async function finish(session: Session, address: string, size: number, signal: AbortSignal): Promise<void> {
  const { gcs, key, mark } = session;
  try {
    if (session.stored === undefined) {
      await gcs.run({ operation: 'finish the upload of', key, signal, completing: true }, async (send) => {
        await put(session, send, address, `bytes */${size}`, Buffer.alloc(0));
      });
    }
  } catch (error) {
    if (!(error instanceof Failure) || signal.aborted) throw error;
    // The answer to an earlier try may have been lost.
    await requireOurs(gcs, { key, size, mark, signal }, error);
    return;
  }
  if (session.stored === undefined)
    throw transient('StoreError', `${gcs.nameOf(key)}: the store did not finish the upload of ${size} bytes.`);
  checkStored(gcs, key, readResource(session.stored), { size, checksum: formatCrc32c(session.crc) });
}

/** The failure that led here is the one to be told. */
async function removeTraces({ gcs, key, mark }: Session, address: string, size: number): Promise<void> {
  const signal = AbortSignal.timeout(gcs.timings.cleanUp);
  await gcs
    .run({ operation: 'end the upload of', key, signal }, async (send) => {
      const answer = await send({ method: 'DELETE', path: address, also: [404, 410, 499] });
      await answer.body.dump();
    })
    .catch(() => undefined);
  const stored = await headGcs(gcs, key, signal).catch(() => undefined);
  if (stored?.mark === mark && stored.size === size) await deleteGcs(gcs, key, signal).catch(() => undefined);
}
