import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../cache.ts';
import { withLock } from '../lock.ts';
import { hostMirrors } from './base-image.ts';
import type { DebianPackage } from './debian-packages.ts';
import { type Suite, suites } from './recipe.ts';

export interface PendingUpdate extends DebianPackage {
  readonly newer: string;
}

const day = 86_400_000;

/**
 * Packages that Debian has since mended: with a newer version in the index of their release's security updates. Debian's
 * sid has none of those: what is newer there is newer in sid itself. The indexes are a day old at most.
 */
export async function pendingUpdates(packages: readonly DebianPackage[]): Promise<readonly PendingUpdate[]> {
  const pending: PendingUpdate[] = [];
  for (const [suite, file] of await indexes()) {
    const own = packages.filter((each) => each.suite === suite);
    if (own.length === 0) continue;
    const known = versionsIn(await readIndex(file), new Set(own.map(({ name }) => name)));
    for (const each of own)
      for (const newer of known.get(each.name) ?? [])
        if (await isNewer(newer, each.version)) pending.push({ ...each, newer });
  }
  return pending;
}

/** By package, each version that the index has. */
export function versionsIn(index: string, wanted: ReadonlySet<string>): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const record of index.split('\n\n')) {
    const name = record.slice('Package: '.length, record.indexOf('\n'));
    const version = wanted.has(name) ? /^Version: (.+)$/m.exec(record)?.[1] : undefined;
    if (version !== undefined) found.set(name, [...(found.get(name) ?? []), version]);
  }
  return found;
}

async function isNewer(one: string, other: string): Promise<boolean> {
  if (one === other) return false;
  const { exitCode } = await execa('dpkg', ['--compare-versions', one, 'gt', other], { reject: false });
  return exitCode === 0;
}

/** apt's own lists, in a folder of the cache: the host's are not touched. */
async function indexes(): Promise<ReadonlyMap<Suite, string>> {
  const folder = cacheFolder('images', 'indexes');
  const sources = join(folder, 'sources.list');
  const options = [
    ...[`Dir::Etc::SourceList=${sources}`, 'Dir::Etc::SourceParts=/dev/null', `Dir::State::Lists=${folder}/lists`],
    ...[`Dir::Cache=${folder}/cache`, 'Acquire::Languages=none', 'Acquire::Check-Valid-Until=false'],
    ...['APT::Sandbox::User=root', 'APT::Update::Error-Mode=any'],
  ].flatMap((option) => ['-o', option]);
  if (await isOld(sources)) await withLock(join(folder, 'refresh.lock'), () => refresh(folder, sources, options));
  const { stdout } = await execa('apt-get', [
    ...options,
    ...['indextargets', '--format', '$(RELEASE) $(FILENAME)', 'Created-By: Packages'],
  ]);
  const files = stdout.split('\n').map((line) => line.split(' '));
  return new Map(
    [...new Set(Object.values(suites))].map((suite) => {
      const file = files.find(([release]) => release === releaseOf(suite))?.[1];
      if (file === undefined) throw new Error(`apt has no index of ${releaseOf(suite)}: nothing can be said of images`);
      return [suite, file];
    }),
  );
}

async function refresh(folder: string, sources: string, options: readonly string[]): Promise<void> {
  if (!(await isOld(sources))) return;
  await mkdir(join(folder, 'lists/partial'), { recursive: true });
  const draft = `${sources}.new`;
  await writeFile(draft, await sourceLines());
  const own = options.map((option) => option.replace(`=${sources}`, `=${draft}`));
  await execa('apt-get', [...own, 'update'], { all: true });
  await rename(draft, sources);
}

async function isOld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined || Date.now() - found.mtimeMs > day;
}

function releaseOf(suite: Suite): string {
  return suite === 'sid' ? suite : `${suite}-security`;
}

async function sourceLines(): Promise<string> {
  const { main, security } = await hostMirrors();
  if (main === undefined || security === undefined)
    throw new Error(
      'apt has no mirror of Debian or of its security updates here. Name them in /etc/apt, and run apt-get update.',
    );
  return [...new Set(Object.values(suites))]
    .map((suite) => `deb ${suite === 'sid' ? main : security} ${releaseOf(suite)} main\n`)
    .join('');
}

async function readIndex(file: string): Promise<string> {
  const { stdout } = await execa('/usr/lib/apt/apt-helper', ['cat-file', file], { maxBuffer: 1024 ** 3 });
  return stdout;
}
