import { type BackupRun, backupRun } from '../../api/kinds.ts';
import type { KnownRun } from '../../domain/catalogue/compare.ts';
import { annotations, labels } from '../../domain/labels.ts';
import type { KubeClient } from '../../kube/client.ts';
import { resourcePath } from '../../kube/paths.ts';

/** Objects of one answer: a BackupRun of a thousand databases is 100 KiB. */
const pageSize = 250;

interface Page {
  readonly items?: readonly BackupRun[];
  readonly metadata?: { readonly continue?: string };
}

/** The BackupRuns of a namespace, page by page; of each no more than the catalogue looks at. */
export async function listRuns(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<readonly KnownRun[]> {
  const runs: KnownRun[] = [];
  let next: string | undefined;
  do {
    const query = { limit: pageSize, ...(next === undefined ? {} : { continue: next }) };
    const page: Page = await client.request('GET', resourcePath(backupRun.kind, { namespace }), { query, signal });
    runs.push(...(page.items ?? []).map(knownRun));
    next = page.metadata?.continue || undefined;
  } while (next !== undefined);
  return runs;
}

export function knownRun({ metadata, spec, status }: BackupRun): KnownRun {
  const told = metadata.labels?.[labels.catalogue];
  const path = metadata.annotations?.[annotations.path];
  return {
    name: metadata.name,
    uid: metadata.uid,
    hold: spec.hold,
    backupID: status?.backupID,
    checksum: status?.checksum,
    unwritten:
      told === undefined || path === undefined || status?.backupID !== undefined
        ? undefined
        : { path, repository: told },
    places: (status?.repositories ?? []).flatMap(({ name, state, path: where, held = false, lost = false }) =>
      where === undefined ? [] : [{ name, state, path: where, held, lost }],
    ),
  };
}
