import { execa } from 'execa';
import { ensureProgram } from '../cluster/tools.ts';

export interface FluxQuestion {
  readonly kubeconfig: string;
  /** What the Kustomization builds. */
  readonly objects: readonly object[];
  /** Its spec.healthCheckExprs. */
  readonly healthCheckExprs: readonly object[];
  readonly timeoutSeconds: number;
  /** They are in Git no longer. */
  readonly prune?: boolean;
}

export interface FluxAnswer {
  /** By kind and name: created, configured, unchanged, skipped, deleted. */
  readonly actions: Readonly<Record<string, string>>;
  /** Flux's own words; empty where all are healthy. */
  readonly unhealthy: string;
}

export async function ensureFluxProgram(log: (line: string) => void): Promise<string> {
  return await ensureProgram('flux', new URL('./flux/', import.meta.url).pathname, { log });
}

/** Flux's own applying, waiting and pruning, without its controller. Rejects with its words where objects are refused. */
export async function askFlux(question: FluxQuestion): Promise<FluxAnswer> {
  const program = await ensureFluxProgram(() => undefined);
  const { stdout } = await execa(program, [], { input: JSON.stringify(question) });
  return JSON.parse(stdout) as FluxAnswer;
}
