import type { BackupRun } from '../../api/kinds.ts';
import { labels } from '../labels.ts';

/** A BackupRun that was re-created from a repository: it is over from its birth, and gets no Job. */
export function isCatalogued({ metadata, status }: Pick<BackupRun, 'metadata' | 'status'>): boolean {
  return metadata.labels?.[labels.catalogue] !== undefined && status?.jobName === undefined;
}

/** Of a namespace that is not the run's own: no policy here has made it. */
export function isForeign({ metadata }: Pick<BackupRun, 'metadata'>): boolean {
  return metadata.labels?.[labels.origin] !== undefined;
}
