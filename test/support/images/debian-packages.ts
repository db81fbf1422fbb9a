import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { type Suite, suites } from './recipe.ts';

/** A package of Debian that an image has files of, and the release of Debian that they are from. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly suite: Suite;
}

/** Of an image's Docker archive: what `images/rootfs.sh` and `images/agent/postgresql-client.sh` have recorded. */
export async function packagesOf(archive: string): Promise<readonly DebianPackage[]> {
  const found: DebianPackage[] = [];
  await eachFile(createReadStream(archive), async (name, content) => {
    if (!name.endsWith('.tar')) return false;
    await eachFile(content, async (path, record) => {
      const suite = suiteOf(path);
      if (suite === undefined) return false;
      found.push(packageIn(await text(record), suite));
      return true;
    });
    return true;
  });
  return found;
}

function suiteOf(path: string): Suite | undefined {
  if (/^(\.\/)?var\/lib\/dpkg\/status\.d\/[^/]+$/.test(path)) return 'trixie';
  const major = /^(?:\.\/)?opt\/postgresql\/(\d+)\/share\/packages\/[^/]+$/.exec(path)?.[1];
  return Object.entries(suites).find(([known]) => known === major)?.[1];
}

function packageIn(record: string, suite: Suite): DebianPackage {
  const field = (name: string) => new RegExp(`^${name}: (.+)$`, 'm').exec(record)?.[1];
  const [name, version] = [field('Package'), field('Version')];
  if (name === undefined || version === undefined) throw new Error(`No record of a package:\n${record}`);
  return { name, version, suite };
}

/** Calls `take` for each plain file; where it says false, the content is passed over. */
async function eachFile(
  tar: NodeJS.ReadableStream,
  take: (name: string, content: Readable) => Promise<boolean>,
): Promise<void> {
  const entries = extract();
  const read = async () => {
    for await (const entry of entries) {
      const taken = entry.header.type === 'file' && (await take(entry.header.name, Readable.from(entry)));
      if (!taken) entry.resume();
    }
  };
  await Promise.all([pipeline(tar, entries), read()]);
}
