import { backUp, backupTask, type Setting, s3Repository, volumeRepository } from './setting.ts';

/**
 * Runs one backup in a process of its own, so that its memory can be measured. Takes JSON as its argument and writes JSON:
 * the peak of its resident memory and the time it took.
 */
const { server, s3, folders, logical, buckets = ['backups'] } = JSON.parse(process.argv[2] ?? '');
const setting = { folders } as Setting;
const begun = performance.now();
const repositories =
  s3 === undefined
    ? [volumeRepository]
    : (buckets as string[]).map((bucket) => ({ ...s3Repository(s3, bucket), name: bucket }));
await backUp(setting, backupTask(server, { repositories, logical }), { signal: AbortSignal.timeout(600_000) });
const seconds = (performance.now() - begun) / 1000;
process.stdout.write(JSON.stringify({ seconds, peakBytes: process.resourceUsage().maxRSS * 1024 }));
