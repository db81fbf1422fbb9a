import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { layout } from './layout.ts';

/** Ends every process of the cluster's pods, then unmounts what they had. Kubelet and containerd are gone before. */
export async function removePods(): Promise<void> {
  for (let round = 0; round < 50; round += 1) {
    const pids = [...(await podProcesses()), ...(await shims())];
    if (pids.length === 0) break;
    for (const pid of pids) kill(pid);
    await pause(100);
  }
  await unmountAll();
  await removeCgroups();
}

export async function remainingPods(): Promise<readonly string[]> {
  const processes = [...(await podProcesses()), ...(await shims())].map((pid) => `process ${pid}`);
  const groups = (await podCgroups()).map((folder) => `cgroup ${folder}`);
  return [...processes, ...(await mounts()).map((mount) => `mount ${mount}`), ...groups];
}

/** containerd's shims that were started by our containerd: its socket stands in their arguments. */
async function shims(): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [command = '', ...args] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      return command.includes('containerd-shim') && args.includes(layout.containerdSocket) ? [pid] : [];
    }),
  );
  return found.flat();
}

async function podProcesses(): Promise<readonly number[]> {
  const files = await Promise.all(
    (await podCgroups()).map(async (folder) =>
      (await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '')).split('\n'),
    ),
  );
  return [...new Set(files.flat().filter(Boolean).map(Number))];
}

/** The kubelet's cgroups, deepest first, under each controller (cgroup v1) or the one tree (v2). */
async function podCgroups(): Promise<readonly string[]> {
  const root = '/sys/fs/cgroup';
  const trees = [
    root,
    ...(await readdir(root, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(root, entry.name)),
  ];
  const nested = await Promise.all(trees.map((tree) => foldersOf(join(tree, 'kubepods'))));
  return nested.flat().sort((a, b) => b.length - a.length);
}

async function foldersOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return [];
  const children = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map((entry) => foldersOf(join(folder, entry.name))),
  );
  return [folder, ...children.flat()];
}

async function removeCgroups(): Promise<void> {
  for (const folder of await podCgroups()) await rmdir(folder).catch(() => undefined);
}

async function unmountAll(): Promise<void> {
  for (const mount of await mounts()) await execa('umount', ['--lazy', mount], { reject: false });
}

/** Mounts under the cluster's folders, the deepest first. */
async function mounts(): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n');
  const targets = lines.map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '));
  return targets
    .filter((target) => target.startsWith(layout.state) || target.startsWith(layout.run))
    .sort((a, b) => b.length - a.length);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It went by itself.
  }
}
