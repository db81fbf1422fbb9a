/** What a person asks for with the annotation tidemark.dev/sync; its value is new each time. */
export interface SyncRequest {
  /** all…: those too whose BackupRun was deleted. */
  readonly scope: 'New' | 'All';
  /** empty…: a repository without any backup is as it should be. */
  readonly mayBeEmpty: boolean;
}

export function syncRequest(value: string | undefined): SyncRequest {
  return {
    scope: /^all\b/i.test(value ?? '') ? 'All' : 'New',
    mayBeEmpty: /^empty\b/i.test(value ?? ''),
  };
}
