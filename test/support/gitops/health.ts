import { execa } from 'execa';
import { ensureProgram } from '../cluster/tools.ts';

/** An object as a tool reads it. */
export type Read = Readonly<Record<string, unknown>>;

export interface Question {
  readonly object: Read;
  /** CEL, by what each says. */
  readonly expressions?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: 'InProgress' | 'Failed' | 'Current' | 'Terminating';
  readonly message: string;
  readonly values: Readonly<Record<string, boolean>>;
  /** Of expressions that could not be evaluated. */
  readonly errors: Readonly<Record<string, string>>;
}

export async function ensureHealthProgram(log: (line: string) => void): Promise<string> {
  return await ensureProgram('health', new URL('./health/', import.meta.url).pathname, { log });
}

/** What kstatus itself, and a real CEL, say. */
export async function judgeHealth(questions: readonly Question[]): Promise<readonly Answer[]> {
  const program = await ensureHealthProgram(() => undefined);
  const { stdout } = await execa(program, [], { input: JSON.stringify(questions) });
  return JSON.parse(stdout) as readonly Answer[];
}
