import { assertions, checks, type Documentation, ephemeralImage, namePatterns, server, under } from './shared.ts';

const schedules: Documentation = {
  schedules: 'When backups are made; each becomes a CronJob, which works while the operator is down.',
  'schedules[].name': 'Part of the names of the CronJob and of its backups.',
  'schedules[].cron': 'Five fields: minute, hour, day of month, month, day of week.',
  'schedules[].timeZone': 'The time zone of the cron expression, such as Europe/Amsterdam.',
  'schedules[].method': 'Logical: pg_dump. Physical: pg_basebackup.',
  'schedules[].type':
    'Full, or for Physical the difference to the last full backup (Differential) or to the last one (Incremental).',
};

const logical: Documentation = {
  logical: 'What pg_dump and pg_dumpall are asked for.',
  'logical.databases': 'The databases to dump.',
  'logical.databases.include': 'Databases to take, with * and ? for what may vary.',
  'logical.databases.exclude': 'Databases to leave out, with * and ? for what may vary.',
  'logical.globals': 'What pg_dumpall adds: roles and tablespaces (All), one of them, or None.',
  'logical.format':
    'The archive format of pg_dump. Directory dumps several tables at once, and stages them on scratch space; Tar stages each table, one at a time; Custom and Plain stage nothing. Plain is SQL for psql.',
  'logical.jobs': 'Tables dumped at once, with format Directory.',
  'logical.content': 'Definitions and data (All), or one of them.',
  'logical.schemas': 'The schemas to dump.',
  'logical.tables': 'The tables to dump.',
  ...under('logical.schemas', namePatterns('Schemas')),
  ...under('logical.tables', namePatterns('Tables')),
  'logical.tables.excludeData': 'Tables of which only the definition is dumped.',
  'logical.largeObjects': 'Whether large objects are dumped.',
  'logical.inserts': 'Data as INSERT statements: slow, and portable to other databases.',
  'logical.clean': 'DROP … IF EXISTS before the CREATE statements. Format Plain only.',
  'logical.create': 'CREATE DATABASE, and a connection to it. Format Plain only.',
  'logical.noOwner': 'Leaves owners out. Format Plain only: other dumps have them, and a restore may pass them over.',
  'logical.noPrivileges': 'Leaves GRANT and REVOKE out.',
  'logical.extraArgs':
    'Further long options of pg_dump, such as --no-comments; never read by a shell. What a field says, and what would make the backup less than it seems, is refused.',
};

const physical: Documentation = {
  physical: 'What pg_basebackup is asked for.',
  'physical.checkpoint': 'Fast: the server writes everything out at once. Spread: at the leisure of its settings.',
  'physical.maxRate': 'The most that is read in a second, such as 200M.',
  'physical.walMethod': 'Where the WAL of the backup itself comes from: the archive, or fetched or streamed with it.',
  'physical.compress':
    'Who packs with zstd: the agent (Client), or the server (Server, PostgreSQL 15 or later) where its network is slower than its processors. With gzip and lz4 the agent packs.',
  'physical.allowFaultyIncrementals':
    'Makes increments also of a server whose minor version is known to make bad ones (before 17.13, 18.7).',
  walArchiving: 'How every change between backups is kept, for recovery to a point in time.',
  'walArchiving.mode': 'Archive: by the archive_command of the pods. Stream: by a replication slot. None: not at all.',
  'walArchiving.archiveTimeoutSeconds': 'A WAL segment is closed after this time even if it is not full.',
  'walArchiving.maxParallel': 'Segments stored at once.',
  'walArchiving.minRepositories':
    'The server keeps WAL until this many of repositoryRefs have it; default: all of them. Those that lag are caught up by copying.',
  'walArchiving.heartbeat':
    'Writes a mark into the WAL from time to time, so that a drill can measure the data lost of an idle server too. Default: none.',
  'walArchiving.heartbeat.intervalSeconds': 'Seconds between two of them.',
  'walArchiving.compression': 'How WAL is packed.',
  ...under('walArchiving.compression', {
    algorithm:
      'zstd, gzip, lz4, or none, which is a gzip file without compression. May be changed at any time: an archive holds any of them.',
    level: 'Up to 19 for zstd, 9 for gzip, 12 for lz4; default 1.',
  }),
};

const upkeep: Documentation = {
  compression: 'How backups are packed.',
  'compression.algorithm': 'zstd, gzip, lz4 or none.',
  'compression.level': 'Up to 19 for zstd (default 3), 9 for gzip (default 6), 12 for lz4 (default 1).',
  retention: 'Which backups stay. What no rule keeps is deleted; absent: everything stays.',
  'retention.recoveryWindow': 'Every instant of this time stays restorable, such as 14d.',
  'retention.keepLast': 'The newest backups, by number.',
  'retention.keepDaily': 'The newest backup of each of so many days.',
  'retention.keepWeekly': 'The newest backup of each of so many weeks.',
  'retention.keepMonthly': 'The newest backup of each of so many months.',
  'retention.keepYearly': 'The newest backup of each of so many years.',
  'retention.minBackups': 'Never fewer complete backups of a method than this, whatever the other rules say.',
  'retention.timeZone': "Whose days, weeks, months and years; default: the time zone of the method's first schedule.",
  'retention.dryRun': 'The plan is made and shown in status.retention, and nothing is deleted.',
  verification: 'Restores a backup to a scratch server on a schedule, and asks it questions.',
  'verification.cron': 'Five fields: minute, hour, day of month, month, day of week.',
  'verification.timeZone': 'The time zone of the cron expression.',
  'verification.target': 'Latest: the newest backup. RandomPoint: a random instant of the restorable window.',
  ...under('verification', checks),
  'verification.image': ephemeralImage,
  ...under('verification', assertions),
};

const hook = (list: string): Documentation => ({
  [`hooks.${list}[].exec`]:
    'A command in a container of the pod that is backed up. Exactly one of exec and http. The namespace must have granted it (docs/hooks.md).',
  [`hooks.${list}[].exec.container`]: 'Default: the container that runs the server.',
  [`hooks.${list}[].exec.command`]: 'The program and its arguments; no shell reads them.',
  [`hooks.${list}[].http`]: 'A request. Exactly one of exec and http.',
  [`hooks.${list}[].http.url`]: 'Where it goes.',
  [`hooks.${list}[].http.method`]: 'GET, POST, PUT or HEAD. POST and PUT send JSON that says what is done.',
  [`hooks.${list}[].http.headers`]: 'Headers whose values are in Secrets, such as Authorization.',
  [`hooks.${list}[].http.headers[].name`]: "The header's name.",
  [`hooks.${list}[].http.headers[].secretKeyRef`]: 'Where its value is.',
  [`hooks.${list}[].http.headers[].secretKeyRef.name`]: "The Secret's name.",
  [`hooks.${list}[].http.headers[].secretKeyRef.key`]: 'The key in the Secret.',
  [`hooks.${list}[].http.caSecretRef`]: "The certificate authority that signed the server's certificate, in PEM.",
  [`hooks.${list}[].http.caSecretRef.name`]: "The Secret's name.",
  [`hooks.${list}[].http.caSecretRef.key`]: 'The key in the Secret, such as ca.crt.',
  [`hooks.${list}[].timeoutSeconds`]: 'How long the hook may take.',
  [`hooks.${list}[].onError`]:
    'Fail: before the backup, it is not made; after it, the policy says so. Continue: only the run says so.',
});

const jobs: Documentation = {
  hooks: 'What is done before and after each backup.',
  'hooks.preBackup': 'Done before it, one after the other.',
  'hooks.postBackup': 'Done after it, one after the other.',
  ...hook('preBackup'),
  ...hook('postBackup'),
  'hooks.postBackup[].when': 'After every backup, or only after one that succeeded or failed.',
  jobTemplate: 'The pods that do the work; the names are those of a PodSpec and a JobSpec.',
  'jobTemplate.resources': "The agent's requests and limits.",
  'jobTemplate.nodeSelector': 'The labels of the nodes that may run it.',
  'jobTemplate.tolerations': 'The taints that it bears.',
  'jobTemplate.affinity': "As a PodSpec's.",
  'jobTemplate.priorityClassName': "As a PodSpec's.",
  'jobTemplate.annotations': 'Annotations of the Jobs and their pods.',
  'jobTemplate.labels': 'Labels of the Jobs and their pods.',
  'jobTemplate.imagePullSecrets': "Beside those of Tidemark's own installation.",
  'jobTemplate.serviceAccountName': 'An account that bears the label tidemark.dev/agent=true; default: tidemark-agent.',
  'jobTemplate.scratch':
    'Space for staged dumps and restores (format Directory); default: an emptyDir without a limit.',
  'jobTemplate.scratch.size': "The volume's size, such as 20Gi: that of the largest database's dump.",
  'jobTemplate.scratch.storageClassName': "Default: the cluster's.",
  'jobTemplate.backoffLimit': 'How often a backup that failed for a passing reason is tried again.',
  'jobTemplate.activeDeadlineSeconds': 'How long a backup may take, all its attempts together.',
  historyLimits: 'How many BackupRuns stay as objects; what the repository holds is the affair of retention.',
  'historyLimits.succeeded': 'Completed ones.',
  'historyLimits.failed': 'Failed and cancelled ones.',
};

export const backupPolicy: Documentation = {
  source: 'The server to protect: any PostgreSQL.',
  ...under('source', server),
  'source.container': "The container that runs the server; default: the one whose port is the server's.",
  'source.role': 'Primary, or PreferStandby: read from a standby where there is one.',
  repositoryRefs: 'Where backups go. A backup is complete when every one has it; a restore reads the first.',
  'repositoryRefs[].name': 'A BackupRepository of this namespace.',
  ...schedules,
  suspend: 'No schedule starts a backup while this is true.',
  ...logical,
  ...physical,
  ...upkeep,
  ...jobs,
};
