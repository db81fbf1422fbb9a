import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Kubectl } from './kubectl.ts';

export interface PortForward {
  readonly port: number;
  stop(): Promise<void>;
}

/** `kubectl port-forward` to a free local port: the one way to a pod that host and kind clusters share. */
export async function startPortForward(
  kubectl: Kubectl,
  namespace: string,
  target: string,
  port: number,
): Promise<PortForward> {
  const child = kubectl.start(['port-forward', '--namespace', namespace, target, `:${port}`, '--address', '127.0.0.1']);
  const exited = once(child, 'close').then(() => undefined);
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    complaint = (complaint + piece).slice(-2000);
  });
  const local = await Promise.race([firstPort(child.stdout), exited]);
  if (local === undefined) throw new Error(`kubectl port-forward to ${target} ended at once: ${complaint}`);
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  return { port: local, stop };
}

async function firstPort(output: NodeJS.ReadableStream): Promise<number | undefined> {
  const lines = createInterface({ input: output });
  for await (const line of lines) {
    const match = /127\.0\.0\.1:(\d+) ->/.exec(line);
    if (match) {
      output.resume();
      return Number(match[1]);
    }
  }
  return undefined;
}
