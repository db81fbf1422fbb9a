import { createHash } from 'node:crypto';
import { openJournal } from '../../../../src/agent/copy/journal.ts';
import { parseTask } from '../../../../src/agent/main.ts';
import { runNames, runOfManifest, statusOfManifest } from '../../../../src/domain/catalogue/run-of-manifest.ts';
import { Failure } from '../../../../src/domain/failure.ts';
import { decodeName, encodeName, parseBackupPath } from '../../../../src/domain/layout.ts';
import type { Manifest } from '../../../../src/domain/manifest.ts';
import { objectsOf } from '../../../../src/domain/manifest-objects.ts';
import { isOrphan } from '../../../../src/domain/orphan.ts';
import { catalogued } from '../../../../src/domain/recovery/catalogue.ts';
import { repositoryBackup } from '../../../../src/domain/retention/repository-backup.ts';
import { readManifest, readStarted } from '../../../../src/repository/backups.ts';
import { rcloneFailure } from '../../../../src/repository/rclone-failure.ts';
import { whyRefused } from '../../../../src/repository/rclone-refusals.ts';
import type { Store } from '../../../../src/repository/store.ts';
import { commitTimesOf, readIndex } from '../../../../src/repository/wal-index.ts';
import { headerLength } from '../../../../src/stream/age-header.ts';
import { isEncrypted } from '../../../../src/stream/encrypt.ts';
import { isOpenPgp, sessionKeysLength } from '../../../../src/stream/gpg.ts';
import { foreignRemotes } from '../sections.ts';
import { corpus, refuse, type Target } from '../target.ts';

const { signal } = new AbortController();
const path = 'shop/orders/7123/backups/20261121T030000Z-logical';

/** A repository with one object, whatever is asked for. */
function holding(bytes: Buffer): Store {
  return { description: 's3://bucket', get: async () => bytes } as unknown as Store;
}

const digest = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const safe = /^(?!.*(^|\/)\.\.?(\/|$))[A-Za-z0-9_%][A-Za-z0-9_%.=/-]*$/;

function requireSane(manifest: Manifest): void {
  for (const object of objectsOf(manifest)) refuse(!safe.test(object.path), `the path ${object.path}`);
  const stored = { manifest, path, checksum: 'c', held: false, repository: 'store', namespace: 'shop' };
  for (const name of runNames(stored)) refuse(name.length > 63, `the name ${name}`);
  runOfManifest(stored, 'name');
  statusOfManifest(stored);
  const { startTime, completionTime } = repositoryBackup(manifest, path, false);
  refuse(Number.isNaN(startTime.getTime() + completionTime.getTime()), 'a time that is none');
  if (manifest.method === 'Physical') catalogued(manifest, path);
}

export const repositoryTargets: readonly Target[] = [
  {
    name: 'manifest.json whose digest a BackupRun has',
    covers: ['readManifest'],
    share: 8,
    corpus: corpus('manifests'),
    takesOriginalOnly: true,
    mutates: 'bytes',
    async run(input, original) {
      const expectedSha256 = digest(original);
      await readManifest(holding(input), path, { signal, expectedSha256 });
      refuse(!input.equals(original), 'a changed manifest was taken for the one that was recorded');
    },
  },
  {
    name: 'manifest.json of a bare cluster',
    covers: ['readManifest', 'runNames', 'statusOfManifest', 'repositoryBackup', 'catalogued'],
    share: 8,
    corpus: corpus('manifests'),
    mutates: 'json',
    async run(input) {
      requireSane((await readManifest(holding(input), path, { signal })).manifest);
    },
  },
  {
    name: 'started.json',
    covers: ['readStarted', 'isOrphan'],
    share: 4,
    corpus: corpus('started'),
    mutates: 'json',
    async run(input) {
      const started = await readStarted(holding(input), path, signal);
      const now = new Date('2027-01-01T00:00:00Z');
      isOrphan({ started, newestObject: undefined }, { now, runState: 'missing' });
    },
  },
  {
    name: 'index beside an encrypted WAL file',
    covers: ['readIndex', 'commitTimesOf'],
    share: 4,
    corpus: corpus('wal-index'),
    mutates: 'json',
    async run(input) {
      const index = await readIndex(holding(input), 'key', { signal });
      if (index === undefined) return;
      const { firstCommitTime, lastCommitTime } = commitTimesOf(index);
      for (const time of [firstCommitTime, lastCommitTime])
        refuse(time !== undefined && Number.isNaN(time.getTime()), 'a time that is none');
    },
  },
  {
    name: 'journal of a copy',
    covers: ['openJournal'],
    share: 3,
    corpus: corpus('journal'),
    mutates: 'json',
    async run(input) {
      const journal = await openJournal(holding(input), 'folder', signal);
      const found = journal.find('__proto__');
      refuse(found !== undefined && !safe.test(found.path), 'a path that leads elsewhere');
    },
  },
  {
    name: 'path of a backup',
    covers: ['parseBackupPath', 'decodeName'],
    share: 3,
    corpus: [path, 'a/b/1/backups/x', encodeName('Odd/Name ü')].map((text) => Buffer.from(text)),
    mutates: 'bytes',
    run(input) {
      const text = input.toString('utf8');
      parseBackupPath(text);
      const encoded = encodeName(text.toWellFormed());
      refuse(!/^[A-Za-z0-9_%-]*$/.test(encoded) || encoded.startsWith('-'), encoded);
      refuse(decodeName(encoded) !== text.toWellFormed(), 'a name that does not come back');
    },
  },
  {
    name: 'header of age and gpg',
    covers: ['headerLength', 'isEncrypted', 'isOpenPgp', 'sessionKeysLength'],
    share: 4,
    corpus: corpus('encrypted'),
    mutates: 'bytes',
    run(input) {
      isEncrypted(input);
      isOpenPgp(input);
      refuse((headerLength(input) ?? 0) > input.length, 'a header beyond the end');
      sessionKeysLength(input);
    },
  },
  {
    name: 'configuration of rclone',
    covers: ['whyRefused'],
    share: 4,
    corpus: corpus('rclone-config'),
    mutates: 'json',
    run(input) {
      const sections = asSections(input);
      const why = whyRefused(sections, 'offsite');
      refuse(why === undefined && foreignRemotes(sections, 'offsite'), 'a program or a folder of the pod');
    },
  },
  {
    name: 'error of rclone',
    covers: ['rcloneFailure'],
    share: 2,
    corpus: corpus('rclone-errors'),
    mutates: 'bytes',
    run(input) {
      const call = { what: 'read x', remote: 'offsite:x', configFrom: 'the Secret s' };
      refuse(!(rcloneFailure(new Error(input.toString('utf8')), call) instanceof Failure), 'no Failure');
    },
  },
  {
    name: 'task of an agent',
    covers: ['parseTask'],
    share: 5,
    corpus: corpus('tasks'),
    mutates: 'json',
    run(input) {
      const task = parseTask(input.toString('utf8'));
      // Refused with words; nothing is thrown.
      refuse(!(task instanceof Failure) && typeof task.action !== 'string', 'a task without an action');
    },
  },
];

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** rclone gives an object of objects, or does not answer. */
function asSections(input: Buffer): Sections {
  try {
    const value: unknown = JSON.parse(input.toString('utf8'));
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter(([, section]) => typeof section === 'object' && section !== null),
    ) as Sections;
  } catch {
    return {};
  }
}
