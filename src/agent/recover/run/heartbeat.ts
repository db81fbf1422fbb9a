import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const every = 2000;

/** Tells the server's container, from the first moment to the last, that this one lives: another number every time. */
export async function startHeartbeat(folder: string): Promise<{ readonly stop: () => void }> {
  let beat = 0;
  const say = async () => {
    beat += 1;
    try {
      await writeFile(join(folder, 'alive.new'), `${beat}\n`, { mode: 0o600 });
      await rename(join(folder, 'alive.new'), join(folder, 'alive'));
    } catch {
      // A full disk is told by everything else.
    }
  };
  await say();
  const timer = setInterval(() => void say(), every);
  return { stop: () => clearInterval(timer) };
}
