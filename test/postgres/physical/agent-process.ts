import type { Setting } from '../backup/setting.ts';
import { volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalTask } from './physical-setting.ts';

/**
 * Runs one backup in a process of its own, so that its memory can be measured. Takes JSON as its argument and writes JSON:
 * the peak of its resident memory and the time it took.
 */
const { server, folders, physical } = JSON.parse(process.argv[2] ?? '');
const begun = performance.now();
const task = physicalTask(server, physical, { repositories: [volumeRepository] });
const { error } = await backUpPhysically({ folders } as Setting, task);
if (error !== undefined) throw error;
const seconds = (performance.now() - begun) / 1000;
process.stdout.write(JSON.stringify({ seconds, peakBytes: process.resourceUsage().maxRSS * 1024 }));
