import { afterEach, beforeEach } from 'vitest';
import { systemClock } from '../../../src/kube/clock.ts';
import { runKubectl } from '../../../src/kubectl/program.ts';
import type { Terminal } from '../../../src/kubectl/terminal.ts';
import { ClusterServer } from './cluster-server.ts';

export const now = new Date('2026-11-21T10:15:00Z');

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Every state of the line that shows what is under way. */
  readonly live: readonly string[];
  readonly questions: readonly string[];
}

export interface Person {
  /** What a person at the terminal says; absent: nobody is there. */
  readonly answer?: boolean;
  readonly watched?: boolean;
  readonly signal?: AbortSignal;
  readonly timeZone?: string;
  readonly unicode?: boolean;
}

export type Kubectl = (line: string | readonly string[], person?: Person) => Promise<Ran>;

/** kubectl-tidemark in this process, against a cluster of its own for each test. */
export function useKubectl(): { readonly cluster: ClusterServer; readonly kubectl: Kubectl } {
  let cluster: ClusterServer;
  beforeEach(async () => {
    cluster = await ClusterServer.start();
  });
  afterEach(() => cluster.close());
  const kubectl: Kubectl = (line, person = {}) =>
    run(cluster, typeof line === 'string' ? line.split(' ') : line, person);
  return {
    kubectl,
    get cluster() {
      return cluster;
    },
  };
}

async function run(cluster: ClusterServer, args: readonly string[], person: Person): Promise<Ran> {
  const written = { out: '', err: '', live: [] as string[], questions: [] as string[] };
  const line = (text: string) => (text.endsWith('\n') ? text : `${text}\n`);
  const terminal: Terminal = {
    out: (text) => {
      written.out += line(text);
    },
    say: (text) => {
      written.err += line(text);
    },
    live: (text) => {
      if (text !== undefined) written.live.push(text);
    },
    confirm: async (question) => {
      written.questions.push(question);
      return person.answer ?? false;
    },
    asks: person.answer !== undefined,
    watched: person.watched ?? person.answer !== undefined,
    colour: false,
    unicode: person.unicode ?? true,
    columns: 100,
  };
  const code = await runKubectl(args, {
    connect: async () => cluster.client(),
    terminal,
    clock: { ...systemClock, now: () => now },
    timeZone: person.timeZone ?? 'Europe/Amsterdam',
    signal: person.signal ?? new AbortController().signal,
    suffix: () => 'x7k2p',
  });
  return { code, ...written };
}
