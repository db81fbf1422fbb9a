import type { RestoreRequestSpec } from '../api/restore-request.ts';

/**
 * What the API promises and this version does not do yet. Each entry names the field and what stands in its way; an
 * object with one of them is refused with the reason NotImplemented, and nothing of it is done. Of a Logical backup; a
 * Physical one is a recovery, which has these targets and no other.
 */
export function missingForRestore(spec: RestoreRequestSpec): readonly string[] {
  const targets = ['instance', 'inPlace'] as const;
  return targets.flatMap((target) =>
    spec.target[target] === undefined ? [] : [`spec.target.${target} with a Logical backup`],
  );
}

/** One sentence for the condition and the Event. */
export function notImplementedMessage(missing: readonly string[]): string {
  return `This version of Tidemark does not do this yet: ${missing.join(', ')}. Nothing was started; take it out, or wait for a version that has it.`;
}
