import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Failure, terminal, transient } from '../domain/failure.ts';
import { crc32c, formatCrc32c } from './crc32c.ts';
import type { GcsConnection, GcsSend } from './gcs-connection.ts';
import type { StoredSize } from './store.ts';

/** Written with every object, so that an answer lost on the way is told from another writer's object. */
export const writeMark = 'tidemark-write';

const resource = z.object({
  size: z.string().transform(Number),
  crc32c: z.string().optional(),
  timeCreated: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  retentionExpirationTime: z.string().optional(),
  retention: z.object({ retainUntilTime: z.string().optional() }).optional(),
  temporaryHold: z.boolean().optional(),
  eventBasedHold: z.boolean().optional(),
});

export type Resource = z.output<typeof resource>;

export interface ObjectFacts extends StoredSize {
  readonly mark: string | undefined;
}

/** undefined where it does not exist. */
export async function headGcs(gcs: GcsConnection, key: string, signal: AbortSignal): Promise<ObjectFacts | undefined> {
  try {
    return await gcs.run({ operation: 'look up', key, signal }, async (send) => {
      const answer = await send({ method: 'GET', path: gcs.objectPath(key), query: { projection: 'noAcl' } });
      const found = readResource(await answer.body.json());
      const { size, timeCreated, metadata } = found;
      const lastModified = timeCreated === undefined ? {} : { lastModified: new Date(timeCreated) };
      return { size, mark: metadata?.[writeMark], ...lastModified, ...lockOf(found) };
    });
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'NoSuchObject') throw error;
    return undefined;
  }
}

function lockOf(found: Resource): Pick<StoredSize, 'lock'> {
  if (found.temporaryHold === true || found.eventBasedHold === true) return { lock: { until: undefined } };
  const ends = [found.retentionExpirationTime, found.retention?.retainUntilTime].flatMap((end) =>
    end === undefined ? [] : [new Date(end).getTime()],
  );
  const until = Math.max(0, ...ends);
  return until > Date.now() ? { lock: { until: new Date(until) } } : {};
}

export interface PutGcs {
  readonly key: string;
  readonly body: Buffer;
  readonly ifAbsent: boolean;
  readonly contentType?: string | undefined;
  readonly signal: AbortSignal;
}

/** One request, whose bytes the store checks by their CRC32C. `ifAbsent` is the store's own check (generation 0). */
export async function putGcs(gcs: GcsConnection, request: PutGcs): Promise<void> {
  const { key, body, ifAbsent, signal } = request;
  const mark = randomUUID();
  try {
    await gcs.run({ operation: 'store', key, signal }, (send) => sendWhole(gcs, request, mark, send));
  } catch (error) {
    if (!ifAbsent || !(error instanceof Failure) || signal.aborted) throw error;
    if (error.reason !== 'ObjectExists' && error.reason !== 'StoreUnreachable') throw error;
    await requireOurs(gcs, { key, size: body.length, mark, signal }, error);
  }
}

async function sendWhole(
  gcs: GcsConnection,
  { key, body, ifAbsent, contentType = 'application/octet-stream' }: PutGcs,
  mark: string,
  send: GcsSend,
): Promise<void> {
  const boundary = `tidemark-${mark}`;
  const checksum = formatCrc32c(crc32c(body));
  const about = { name: gcs.fullKey(key), contentType, crc32c: checksum, metadata: { [writeMark]: mark } };
  const head = `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(about)}\r\n--${boundary}\r\ncontent-type: ${contentType}\r\n\r\n`;
  const answer = await send({
    method: 'POST',
    path: gcs.uploadPath,
    query: { uploadType: 'multipart', ...(ifAbsent ? { ifGenerationMatch: '0' } : {}) },
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body: [Buffer.from(head), body, Buffer.from(`\r\n--${boundary}--`)],
  });
  checkStored(gcs, key, readResource(await answer.body.json()), { size: body.length, checksum });
}

/** What the store says that it has, against what was sent. */
export function checkStored(
  gcs: GcsConnection,
  key: string,
  stored: Resource,
  sent: { readonly size: number; readonly checksum: string },
): void {
  if (stored.size === sent.size && (stored.crc32c === undefined || stored.crc32c === sent.checksum)) return;
  throw transient(
    'ChecksumMismatch',
    `${gcs.nameOf(key)} was stored with other bytes than were sent (${stored.size} of ${sent.size} bytes). Check the network.`,
  );
}

export interface Written {
  readonly key: string;
  readonly size: number;
  readonly mark: string;
  readonly signal: AbortSignal;
}

/** After a write whose outcome is not known: whether the object that is there now is the one we wrote. */
export async function requireOurs(gcs: GcsConnection, written: Written, otherwise: Failure): Promise<void> {
  const stored = await headGcs(gcs, written.key, written.signal).catch(() => undefined);
  if (stored === undefined) throw otherwise;
  if (stored.size !== written.size || stored.mark !== written.mark) throw gcsExists(gcs, written.key);
}

export function gcsExists(gcs: GcsConnection, key: string): Failure {
  return terminal(
    'ObjectExists',
    `${gcs.nameOf(key)} is already there, and nothing is ever overwritten. Look who else writes there.`,
  );
}

/** A missing one is fine. */
export async function deleteGcs(gcs: GcsConnection, key: string, signal: AbortSignal): Promise<void> {
  try {
    await gcs.run({ operation: 'delete', key, signal }, async (send) => {
      const answer = await send({ method: 'DELETE', path: gcs.objectPath(key) });
      await answer.body.dump();
    });
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'NoSuchObject') throw error;
  }
}

export function readResource(answer: unknown): Resource {
  const parsed = resource.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw terminal(
    'NotSupported',
    'What answers there does not speak the JSON API of Cloud Storage. Correct spec.googleCloudStorage.endpoint.',
  );
}
