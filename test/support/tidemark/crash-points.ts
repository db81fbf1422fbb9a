import { type Asked, isChange } from './api-proxy.ts';
import type { LocalOperator } from './local-operator.ts';

/**
 * Kills an operator at the changes that it makes of the cluster: when the API server has not heard of one yet, and when
 * it has done it and the operator does not know. What is asked again after that is let through, so that the work ends.
 */
export interface CrashPoints {
  /** Each change, in the order in which it was first asked for; what is volatile in it masked. */
  readonly steps: readonly string[];
  /** How often the operator was killed. */
  readonly kills: number;
  /** How often an object was made, by the path of its collection and its name. */
  readonly made: ReadonlyMap<string, number>;
  /** Resolves when no restart is under way; rejects where the operator did not come back. */
  settled(): Promise<void>;
  disarm(): void;
}

/** `all`: before and after each step. `some`: at every third, before one and after the next. `none`: looks on. */
export type CrashMode = 'all' | 'some' | 'none';

export function armCrashPoints(operator: LocalOperator, namespace: string, mode: CrashMode): CrashPoints {
  const seen = new Map<string, number>();
  const made = new Map<string, number>();
  let kills = 0;
  let armed = true;
  let reviving: Promise<void> | undefined;
  let failed: unknown;

  const revive = () => {
    kills += 1;
    reviving = operator
      .kill()
      .then(() => operator.start())
      .catch((error: unknown) => {
        failed = error;
      })
      .finally(() => {
        reviving = undefined;
      });
  };
  /** undefined for what is no step, and for what a process has asked that is dead already. */
  const stepOf = (asked: Asked) =>
    armed && reviving === undefined && isChange(asked) && asked.path.includes(`/namespaces/${namespace}/`)
      ? `${asked.method} ${asked.path.split(`/namespaces/${namespace}/`)[1]} ${masked(asked.body)}`
      : undefined;

  operator.proxy.before = (asked) => {
    const step = stepOf(asked);
    if (step === undefined) return undefined;
    const times = seen.get(step) ?? 0;
    const index = times === 0 ? seen.size : [...seen.keys()].indexOf(step);
    const isDue = mode === 'all' || (mode === 'some' && index % 6 === 0);
    if (!isDue || times > 0) return undefined;
    seen.set(step, 1);
    revive();
    return 'lost';
  };
  operator.proxy.after = (asked, status) => {
    const step = stepOf(asked);
    if (asked.method === 'POST' && status === 201) {
      const { name = '' } = (JSON.parse(asked.body) as { metadata?: { name?: string } }).metadata ?? {};
      const key = `${asked.path.split('/').at(-1)}/${name}`;
      made.set(key, (made.get(key) ?? 0) + 1);
    }
    if (step === undefined) return undefined;
    const times = seen.get(step) ?? 0;
    const index = times === 0 ? seen.size : [...seen.keys()].indexOf(step);
    seen.set(step, times + 1);
    const isDue = (mode === 'all' && times === 1) || (mode === 'some' && index % 6 === 3 && times === 0);
    if (!isDue) return undefined;
    revive();
    return 'lost';
  };
  return {
    get steps() {
      return [...seen.keys()];
    },
    get kills() {
      return kills;
    },
    made,
    settled: async () => {
      while (reviving !== undefined) await reviving;
      if (failed !== undefined) throw failed;
    },
    disarm: () => {
      armed = false;
    },
  };
}

/** Without times, versions and IDs, and what is reckoned of them: the same step asked for again, after a kill, is the same. */
function masked(body: string): string {
  return body
    .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, 'TIME')
    .replaceAll(/"tidemark\.dev\/task-hash":"[0-9a-f]+"/g, 'HASH')
    .replaceAll(/"\/metadata\/resourceVersion","value":"\d+"/g, 'VERSION')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID');
}
