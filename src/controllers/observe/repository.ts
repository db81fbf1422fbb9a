import type { BackupRepository } from '../../api/kinds.ts';
import type { KubeObject } from '../../kube/client.ts';
import type { Figure } from '../../observability/figures.ts';
import { amount, holds } from './known.ts';

export function* figuresOfRepository({ metadata, status = {} }: BackupRepository & KubeObject): Iterable<Figure> {
  const labels = { namespace: metadata.namespace, repository: metadata.name };
  yield { name: 'repository_ready', labels, value: holds(status.conditions, 'Ready') };
  yield { name: 'repository_backups', labels, value: status.backups };
  yield { name: 'repository_stored_bytes', labels, value: amount(status.storedBytes) };
}
