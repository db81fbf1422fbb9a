import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backupRepositorySpec } from '../../src/api/backup-repository.ts';
import { backupPath, walPath } from '../../src/domain/layout.ts';
import { mounts } from '../../src/domain/mounts.ts';
import { segmentNameAt } from '../../src/domain/wal/file-name.ts';
import { manifestOf, system } from '../postgres/expire/manifest-of.ts';
import type { Size } from './dump.ts';
import type { Figure } from './figure.ts';
import type { Listed, ListingJob } from './listing-process.ts';

const segmentSize = 16 * 1024 ** 2;
const place = { namespace: 'shop', policy: 'orders', systemIdentifier: system };
const counts = { full: { backups: 10_000, segments: 1_000_000 }, small: { backups: 500, segments: 20_000 } } as const;
const mebibyte = 1024 ** 2;

/**
 * A repository on a volume with many backups and much WAL, and what each looks at it: the catalogue in a bare cluster, at
 * rest, and between its deep syncs; the plan of retention; the plan of a recovery. Each is a process of its own.
 */
export async function benchListing(size: Size, log: (line: string) => void): Promise<readonly Figure[]> {
  const { backups, segments } = counts[size];
  const mountRoot = await mkdtemp(join(tmpdir(), 'tidemark-bench-listing-'));
  try {
    const repository = { name: 'store', spec: backupRepositorySpec.parse({ volume: { claimName: 'backups' } }) };
    const root = `${mountRoot}${mounts.repository.volume(0)}/tidemark`;
    await writeBackups(root, backups);
    log(`${backups} backups are there`);
    await writeWal(root, segments);
    log(`${segments} segments are there`);
    const figures: Figure[] = [
      {
        what: 'a process that does nothing',
        value: describe(await look({ what: 'Nothing', mountRoot, repository }, log)),
      },
    ];
    const of = `${backups} backups, ${segments} WAL files`;
    for (const [what, words] of [
      ['Bare', `catalogue, a bare cluster, ${of}`],
      ['Deep', 'catalogue, at rest, every object of the backups'],
      ['Shallow', 'catalogue, at rest, the folders alone'],
      ['Retention', 'retention, a plan that keeps everything'],
      ['RetentionOld', 'retention, a plan that counts half of the WAL'],
      ['Recovery', 'recovery, what there is to recover from'],
    ] as const)
      figures.push({ what: words, value: describe(await look({ what, mountRoot, repository }, log)) });
    return figures;
  } finally {
    await rm(mountRoot, { recursive: true });
  }
}

function describe({ seconds, calls, rss }: Listed): string {
  const made = Object.entries(calls)
    .filter(([, count]) => count > 0)
    .map(([call, count]) => `${count} ${call}`);
  return `${seconds.toFixed(1)} s, ${Math.round(rss / mebibyte)} MiB${made.length === 0 ? '' : `; ${made.join(', ')}`}`;
}

async function look(job: ListingJob, log: (line: string) => void): Promise<Listed> {
  const program = join(import.meta.dirname, 'listing-process.ts');
  const child = spawn(process.execPath, [program, JSON.stringify(job)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${job.what} ended with ${code}`);
  const listed: Listed = JSON.parse(Buffer.concat(parts).toString());
  log(`${job.what}: ${describe(listed)}`);
  return listed;
}

/** Three quarters of an hour apart, the last one a day ago. */
async function writeBackups(root: string, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const segment = Math.floor((index * counts.full.segments) / counts.full.backups) + 1;
    const manifest = manifestOf(1 + (count - index) / 32, `orders-nightly-${index}`, { segment });
    const folder = `${root}/${backupPath({ ...place, backupID: manifest.backupID })}`;
    await mkdir(`${folder}/base`, { recursive: true });
    await writeFile(`${folder}/started.json`, '{}');
    for (const name of ['base/0.tar.zst', 'base/backup_manifest.zst']) await writeFile(`${folder}/${name}`, 'x');
    await writeFile(`${folder}/manifest.json`, JSON.stringify(manifest));
  }
}

async function writeWal(root: string, count: number): Promise<void> {
  const folder = `${root}/${walPath(place)}/00000001`;
  await mkdir(folder, { recursive: true });
  const width = 64;
  for (let first = 1; first <= count; first += width) {
    const numbers = Array.from({ length: Math.min(width, count - first + 1) }, (_, offset) => BigInt(first + offset));
    await Promise.all(
      numbers.map((number) =>
        writeFile(`${folder}/${segmentNameAt(1, number * BigInt(segmentSize), segmentSize)}.zst`, ''),
      ),
    );
  }
}
