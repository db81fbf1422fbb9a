import type { PitrRecovery } from '../../api/kinds.ts';
import { jobName } from '../../domain/naming.ts';

/** The two Jobs of a recovery. */
export function jobNameOf({ metadata }: Pick<PitrRecovery, 'metadata'>, what: 'plan' | 'recover'): string {
  return jobName(undefined, metadata.name, what);
}
