/** Labels, annotations, finalizers and field managers: the marks by which Tidemark knows its own objects. */
export const labels = {
  policy: 'tidemark.dev/policy',
  schedule: 'tidemark.dev/schedule',
  run: 'tidemark.dev/run',
  restore: 'tidemark.dev/restore',
  recovery: 'tidemark.dev/recovery',
  /** On what a verification makes: the policy that asked for it. */
  verification: 'tidemark.dev/verification',
  repository: 'tidemark.dev/repository',
  /** On a BackupRun that was re-created: the BackupRepository that told of it. */
  catalogue: 'tidemark.dev/catalogue',
  /** On a BackupRun that was re-created: the namespace in the repository, where it is not the run's own. */
  origin: 'tidemark.dev/origin-namespace',
  action: 'tidemark.dev/action',
  /** On a ServiceAccount: a policy may run its Jobs under this account. */
  agent: 'tidemark.dev/agent',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

export const managedBy = 'tidemark';

export const annotations = {
  /** On a Job: the hash of the task it was built from. */
  taskHash: 'tidemark.dev/task-hash',
  /** On a Job of retention: the policy's generation that it goes by. */
  generation: 'tidemark.dev/policy-generation',
  /** On a Job of retention that has ended: what it did was told. */
  told: 'tidemark.dev/told',
  /** On a BackupRun that is being deleted: `true` lets the object go though its backup could not be removed. */
  abandon: 'tidemark.dev/abandon-stored-backup',
  /** On a verification: the time of the schedule that it is made for. */
  scheduledTime: 'tidemark.dev/scheduled-time',
  /** On what a PitrRecovery makes: its UID, so that only its own is taken away where it fails. */
  recovery: 'tidemark.dev/recovery-uid',
  /** On a BackupRun that was re-created: where its backup lies, so that one whose status was never written is known. */
  path: 'tidemark.dev/backup-path',
  /** On a Job that reads a catalogue: a digest of the place. */
  place: 'tidemark.dev/repository-place',
  /** On a BackupRepository: a new value asks for a sync now (domain/catalogue/request.ts). */
  sync: 'tidemark.dev/sync',
} as const;

/** On a BackupRun with deletionPolicy Delete: the stored backup goes first. */
export const storedBackupFinalizer = 'tidemark.dev/stored-backup';
/** On a run or restore whose Job runs: the Job ends, and cleans up, before the object goes. */
export const runningJobFinalizer = 'tidemark.dev/running-job';

export const operatorFieldManager = 'tidemark-operator';
/** Of what a verification has found out of a BackupRun, apart from how that ended. */
export const verificationFieldManager = 'tidemark-operator-verification';
export const agentFieldManager = 'tidemark-agent';
/** Of status.wal: the operator takes it back under this name when there is no watcher any more. */
export const watcherFieldManager = 'tidemark-agent-wal';
/** Of what the catalogue tells of a repository, and of what it re-creates. */
export const catalogueFieldManager = 'tidemark-agent-catalogue';
export const agentServiceAccount = 'tidemark-agent';
/** The chart brings it, and binds it to nobody. */
export const execHooksRole = 'tidemark-exec-hooks';
