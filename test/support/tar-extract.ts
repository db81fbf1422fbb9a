import type { Stage } from '../../src/stream/pipeline.ts';

/** GNU tar as a last stage. It may stop at the archive's end with input left, so its pipeline wants `mayStopReading`. */
export function tarExtract(folder: string): Stage {
  return { command: 'tar', args: ['--extract', '--file=-', '--no-same-owner', `--directory=${folder}`] };
}
