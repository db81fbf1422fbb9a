import { readdir, readFile } from 'node:fs/promises';
import type { Scenario } from '../../support/tidemark/scenario.ts';

/** What a process holds at one moment. */
export interface Sample {
  readonly memory: number;
  readonly files: number;
}

/** Of a process of this host. */
export async function sampleProcess(pid: number): Promise<Sample> {
  const [status, files] = await Promise.all([readFile(`/proc/${pid}/status`, 'utf8'), readdir(`/proc/${pid}/fd`)]);
  return { memory: residentIn(status), files: files.length };
}

/** Of a container's first process. */
export async function sampleContainer(
  { kubectl, namespace }: Scenario,
  target: string,
  container: string,
): Promise<Sample> {
  // No ls in an image without a shell: Node is what the agent's image surely has.
  const script =
    "const f=require('fs');console.log(f.readFileSync('/proc/1/status','utf8'));console.log('files '+f.readdirSync('/proc/1/fd').length)";
  const command = ['exec', target, '-c', container, '--', 'node', '-e', script];
  const text = await kubectl.run(command, { namespace });
  return { memory: residentIn(text), files: Number(/^files (\d+)/m.exec(text)?.[1]) };
}

/** How much the later half of a series lies over the earlier one, beginning where what starts up has started up. */
export function growth(values: readonly number[]): number {
  const settled = values.slice(Math.floor(values.length / 4));
  const half = Math.floor(settled.length / 2);
  return median(settled.slice(half)) - median(settled.slice(0, half));
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function residentIn(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}
