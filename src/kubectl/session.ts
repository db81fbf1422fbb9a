import type { LineClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Terminal } from './terminal.ts';

/** What every command has: a way to the API server, a namespace, a terminal and the time. */
export interface Session {
  readonly client: LineClient;
  readonly namespace: string;
  readonly terminal: Terminal;
  readonly clock: Clock;
  /** In which a person's times are meant and shown, unless they say another. */
  readonly timeZone: string;
  readonly signal: AbortSignal;
  /** Five characters that no other object's name ends with. */
  suffix(): string;
}

export const fieldManager = 'kubectl-tidemark';
