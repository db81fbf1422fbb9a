import { execa } from 'execa';
import { ensureProgram } from '../cluster/tools.ts';

export interface ArgoQuestion {
  readonly kubeconfig: string;
  /** What stands in Git. */
  readonly objects: readonly object[];
  /** The Application whose they are. */
  readonly application: object;
  /** argocd-cm's data. */
  readonly settings: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
}

export interface ArgoAnswer {
  /** By kind and name, what was OutOfSync before; where nothing is, an automated sync does not begin. */
  readonly outOfSync: readonly string[];
  readonly phase: 'Running' | 'Failed' | 'Error' | 'Succeeded';
  readonly message: string;
  readonly results: Readonly<Record<string, { readonly status: string; readonly message: string }>>;
  readonly waves: readonly number[];
  /** Of what stands in Git, after a sync that succeeded. */
  readonly health: Readonly<Record<string, { readonly status: string; readonly message?: string }>>;
}

export async function ensureArgoProgram(log: (line: string) => void): Promise<string> {
  return await ensureProgram('argocd', new URL('./argocd/', import.meta.url).pathname, { log });
}

/** A sync by Argo CD's own engine, without its controller. Rejects only where there can be none. */
export async function askArgo(question: ArgoQuestion): Promise<ArgoAnswer> {
  const program = await ensureArgoProgram(() => undefined);
  const { stdout } = await execa(program, [], { input: JSON.stringify(question) });
  return JSON.parse(stdout) as ArgoAnswer;
}
