import type { FailedDatabase } from '../../domain/manifest.ts';

/** Names are told whole as far as they go, and then each one's reason as far as there is room. */
const room = 3600;

/** Which databases are missing, why, and what to do. `backupID` is that of the backup which has the others. */
export function tellFailed(failed: readonly FailedDatabase[], count: number, backupID?: string): string {
  const names = listed(failed.map(({ name }) => printable(name)));
  const which = `${failed.length} of ${count} databases could not be dumped: ${names}. `;
  const what =
    backupID === undefined
      ? 'Nothing was stored. '
      : `What could be dumped is stored in ${backupID}, and can be restored from this BackupRun by the names of the databases; it does not count as a successful backup. `;
  const each = Math.max(200, Math.floor((room - which.length - what.length) / failed.length));
  const causes = failed.map(({ name, reason, message }) => `${printable(name)} (${reason}): ${cut(message, each)}`);
  return cut(`${which}${what}${causes.join(' ')}`, room);
}

/** A name may hold line breaks and worse. */
export function printable(name: string): string {
  return /^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(name) ? name : JSON.stringify(name);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 30).join(', ');
  return names.length > 30 ? `${shown} and ${names.length - 30} more (status.databases)` : shown;
}

export function cut(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
