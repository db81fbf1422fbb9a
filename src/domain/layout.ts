/**
 * Where things lie in a repository, relative to its prefix (docs/repository-format.md):
 *
 *     <namespace>/<policy>/<systemIdentifier>/backups/<backupID>/
 *         started.json          written first: who writes here, since when, until when
 *         databases/<name>/…    the dumps
 *         globals.sql.zst
 *         base/…                chunks or packed streams of a physical backup, backup_manifest.zst
 *         wal/…                 <segment>.zst of walMethod Stream
 *         hold.json             only while a BackupRun holds it
 *         verified.json         what the last verification that found it good has found out
 *         bad.json              only while a verification says that it is bad
 *         manifest.json         written last: without it there is no backup
 *     <namespace>/<policy>/<systemIdentifier>/wal/
 *         history/00000002.history   as the server wrote it
 *         00000002/<name>.zst   segments, .partial and .backup files of that timeline, encrypted or not
 *         index/00000002/<name>.json   of each of those that is encrypted
 *
 * Objects of an encrypted backup end in .age in addition.
 */
export interface BackupLocation {
  readonly namespace: string;
  readonly policy: string;
  readonly systemIdentifier: string;
  readonly backupID: string;
}

export const manifestName = 'manifest.json';
export const startedName = 'started.json';
/** Beside the manifest: retention leaves the backup alone while it is there. */
export const holdName = 'hold.json';
/** Beside the manifest: what verifications have found out of these bytes (repository/verdicts.ts). */
export const verifiedName = 'verified.json';
export const badName = 'bad.json';

export function backupPath(location: BackupLocation): string {
  return `${backupsPath(location)}/${location.backupID}`;
}

export function backupsPath({ namespace, policy, systemIdentifier }: Omit<BackupLocation, 'backupID'>): string {
  return `${namespace}/${policy}/${systemIdentifier}/backups`;
}

/** Where the WAL of one server lies. */
export interface WalLocation {
  readonly namespace: string;
  readonly policy: string;
  readonly systemIdentifier: string;
}

export function walPath({ namespace, policy, systemIdentifier }: WalLocation): string {
  return `${namespace}/${policy}/${systemIdentifier}/wal`;
}

/** What is known without an identity of an encrypted file of WAL; apart, so that a listing of a timeline is one of its WAL. */
export function walIndexPath(location: WalLocation, timeline: number, name: string): string {
  return `${walPath(location)}/index/${timeline.toString(16).toUpperCase().padStart(8, '0')}/${name}.json`;
}

export function parseBackupPath(path: string): BackupLocation | undefined {
  const [namespace, policy, systemIdentifier, backups, backupID, ...rest] = path.split('/');
  if (!namespace || !policy || !systemIdentifier || backups !== 'backups' || !backupID || rest.length > 0)
    return undefined;
  return { namespace, policy, systemIdentifier, backupID };
}

export function databasePath(name: string): string {
  return `databases/${encodeName(name)}`;
}

/**
 * A database's name as a path segment. Letters, digits, hyphen and underscore stay; every other byte of its UTF-8 form
 * becomes %XX, so that no name is a parent folder, hides itself, or meets another on a file system that folds case in
 * other scripts. A leading hyphen is written %2D: it would be an option to a careless tool.
 */
export function encodeName(name: string): string {
  const bytes = new TextEncoder().encode(name);
  return [...bytes].map((byte, index) => encodeByte(byte, index)).join('');
}

export function decodeName(segment: string): string {
  const bytes: number[] = [];
  for (let index = 0; index < segment.length; index += 1) {
    const escaped = segment[index] === '%';
    bytes.push(escaped ? Number.parseInt(segment.slice(index + 1, index + 3), 16) : segment.charCodeAt(index));
    if (escaped) index += 2;
  }
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

function encodeByte(byte: number, index: number): string {
  const character = String.fromCharCode(byte);
  const plain = /[A-Za-z0-9_]/.test(character) || (character === '-' && index > 0);
  return plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** The instant and the method: sorts by time, and says at a glance what it is. */
export function backupIDFor(startTime: Date, method: 'Logical' | 'Physical', type: string): string {
  const stamp = startTime.toISOString().replace(/[-:]|\.\d+/g, '');
  return method === 'Logical' ? `${stamp}-logical` : `${stamp}-physical-${type.toLowerCase()}`;
}
