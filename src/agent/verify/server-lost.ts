import { transient } from '../../domain/failure.ts';

const lost =
  /server closed the connection unexpectedly|terminating connection|could not connect to server|connection to server .* failed|the database system is/i;

/** A server that went away (killed for its memory, say) tells nothing of the backup. */
export function requireServer(stderr: string, tool: string, database: string): void {
  if (!lost.test(stderr)) return;
  const said = stderr.trim().split('\n').slice(-2).join('; ');
  throw transient(
    'ServerLost',
    `The recovered server went away while ${tool} asked database ${database}: ${said}. See the log of the container postgres: it may have been killed for its memory, or a damaged page may have ended it.`,
  );
}
