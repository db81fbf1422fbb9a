import { Failure, terminal, transient } from '../../../domain/failure.ts';
import { type Lsn, parseLsn } from '../../../domain/wal/lsn.ts';
import { quoteIdentifier } from '../../../postgres/advice.ts';
import type { Query } from '../../../postgres/query.ts';

/** Our physical slot, as pg_replication_slots has it. */
export interface Slot {
  readonly name: string;
  /** WAL from here on stays on the server; undefined where the slot is lost. */
  readonly restart: Lsn | undefined;
  readonly walStatus: string | undefined;
  /** Bytes that may still be written before it is lost; undefined where there is no limit. */
  readonly safeBytes: bigint | undefined;
  /** Bytes that it holds on the server. */
  readonly heldBytes: bigint;
  /** Bytes of max_slot_wal_keep_size; undefined where it is unlimited. */
  readonly limit: bigint | undefined;
  readonly active: boolean;
}

interface Row {
  readonly type: string;
  readonly active: boolean;
  readonly restart: string | null;
  readonly status: string | null;
  readonly safe: string | null;
  readonly held: string | null;
  readonly limit: string;
}

/** undefined where it does not exist. A slot of that name that is no physical one is another's: a terminal SlotForeign. */
export async function readSlot(query: Query, name: string): Promise<Slot | undefined> {
  const [row] = await query<Row>(
    `SELECT slot_type AS type, active, restart_lsn::text AS restart, wal_status AS status, safe_wal_size::text AS safe,
            pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::text AS held,
            (SELECT setting::bigint * 1048576 FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size')::text AS limit
       FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`,
    [name],
  );
  if (row === undefined) return undefined;
  if (row.type !== 'physical') {
    throw terminal(
      'SlotForeign',
      `The server has a replication slot ${name} that is ${row.type}, so it is not Tidemark's. Drop or rename it, if nothing uses it: SELECT pg_drop_replication_slot('${name}');`,
    );
  }
  const lost = row.status === 'lost' || row.restart === null;
  return {
    name,
    restart: lost || row.restart === null ? undefined : parseLsn(row.restart),
    walStatus: row.status ?? undefined,
    safeBytes: row.safe === null ? undefined : largest(BigInt(row.safe), 0n),
    heldBytes: row.held === null ? 0n : largest(BigInt(row.held), 0n),
    limit: BigInt(row.limit) < 0n ? undefined : BigInt(row.limit),
    active: row.active,
  };
}

/** What the server needs for a receiver; none of it can be changed without a restart, and it is its owner's. */
export async function requireStreaming(query: Query, role: string): Promise<void> {
  const rows = await query<{ readonly name: string; readonly setting: string }>(
    "SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('wal_level', 'max_wal_senders', 'max_replication_slots')",
  );
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  const wrong = [
    ...(settings.get('wal_level') === 'minimal' ? ['wal_level = replica'] : []),
    ...(settings.get('max_wal_senders') === '0' ? ['max_wal_senders = 10'] : []),
    ...(settings.get('max_replication_slots') === '0' ? ['max_replication_slots = 10'] : []),
  ];
  if (wrong.length > 0) {
    throw terminal(
      'StreamingDisabled',
      `The server sends its WAL to nobody. Set ${wrong.join(' and ')} in its configuration and restart it.`,
    );
  }
  const [may] = await query<{ readonly may: boolean }>(
    'SELECT rolsuper OR rolreplication AS may FROM pg_catalog.pg_roles WHERE rolname = current_user',
  );
  if (may?.may === true) return;
  throw terminal(
    'PermissionDenied',
    `The role ${role} may not receive WAL. As a superuser, run: ALTER ROLE ${quoteIdentifier(role)} REPLICATION; and see that pg_hba.conf lets it in for the database replication.`,
  );
}

/** Reserves WAL at once, so that nothing is removed between the slot's making and the first connection to it. */
export async function createSlot(query: Query, name: string): Promise<void> {
  try {
    await query('SELECT pg_catalog.pg_create_physical_replication_slot($1, true)', [name]);
  } catch (error) {
    if (!(error instanceof Failure) || !/all replication slots are in use/.test(error.message)) throw error;
    throw transient(
      'NoFreeSlot',
      'All replication slots of the server are in use. Drop one that nothing uses any more, or raise max_replication_slots and restart the server.',
      error,
    );
  }
}

/** Whether it is gone. One that somebody is connected to stays: the receiver before this one may still be ending. */
export async function dropSlot(query: Query, name: string): Promise<boolean> {
  const slot = await readSlot(query, name);
  if (slot === undefined) return true;
  if (slot.active) return false;
  await query('SELECT pg_catalog.pg_drop_replication_slot($1)', [name]);
  return true;
}

/** What threatens the slot, said with the number; undefined where nothing does. */
export function slotWarning(
  slot: Slot,
  segmentSize: number,
): { readonly reason: string; readonly message: string } | undefined {
  const { name, restart, safeBytes, heldBytes, limit, walStatus } = slot;
  if (restart === undefined) return slotLost(name);
  if (limit === undefined || safeBytes === undefined) {
    if (heldBytes < unlimitedWarning) return undefined;
    return {
      reason: 'SlotHoldsWal',
      message: `The slot ${name} holds ${mebibytes(heldBytes)} of WAL on the server, because it is not stored yet, and no max_slot_wal_keep_size ends that before the server's disk is full. See why storing is slow or stands still; give the server's disk room, or set max_slot_wal_keep_size.`,
    };
  }
  const near = largest(limit / 4n, 4n * BigInt(segmentSize));
  if (walStatus !== 'unreserved' && safeBytes >= near) return undefined;
  return {
    reason: 'SlotNearlyLost',
    message: `The server writes ${mebibytes(safeBytes)} more WAL, then it removes what the slot ${name} holds (max_slot_wal_keep_size is ${mebibytes(limit)}), and the archive has a gap. See why storing is slow or stands still; to gain time: ALTER SYSTEM SET max_slot_wal_keep_size = '${mebibytes(limit * 2n).replace(' MiB', 'MB')}'; SELECT pg_reload_conf();`,
  };
}

export function slotLost(name: string) {
  return {
    reason: 'SlotLost',
    message: `The server removed WAL that the slot ${name} was to hold (max_slot_wal_keep_size), so the archive has a gap. A new slot is made, and recovery beyond the gap needs a new full backup. Raise max_slot_wal_keep_size if this is to last through a longer outage of the repository.`,
  };
}

/** Without a limit the server's free space is what counts, which cannot be asked for. */
const unlimitedWarning = 4n * 1024n ** 3n;

function mebibytes(bytes: bigint): string {
  return `${bytes / 1024n ** 2n} MiB`;
}

function largest(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
