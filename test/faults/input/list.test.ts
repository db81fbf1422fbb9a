import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { elsewhere } from './elsewhere.ts';
import { targets } from './targets/all.ts';

const files = globSync('src/**/*.ts').sort();

/** By its name a function of src that reads what others have written: nobody adds one without saying how it is fuzzed. */
const parser =
  /^export (async )?function\*? ((?:parse|decode|recognize|recognise|classify|explain|split|walk)[A-Z]?\w*|read[A-Z]\w*|create\w*(?:Lexer|Reader|Walker|Cutter|Output|Contents)|\w+Failure)\b/gm;

test('every parser of src is fuzzed, or it is said why not', () => {
  const found = files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(parser)].map(([, , name = '']) => ({ file, name })),
  );
  expect(found.length).toBeGreaterThan(60);
  const covered = new Set(targets.flatMap(({ covers }) => covers));
  const open = found.filter(({ name }) => !covered.has(name) && !Object.hasOwn(elsewhere, name));
  expect(open).toEqual([]);
});

test('what is said of functions is said of functions that there are', () => {
  const source = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  const named = [...targets.flatMap(({ covers }) => covers), ...Object.keys(elsewhere)];
  const gone = named.filter((name) => !new RegExp(`function\\*? ${name}\\b`).test(source));
  expect(gone).toEqual([]);
});

test('a target calls what it says that it covers', () => {
  const source = globSync('test/faults/input/targets/*.ts')
    .map((file) => readFileSync(file, 'utf8').replaceAll(/covers: \[[^\]]*\]/g, ''))
    .join('\n');
  const below = new Set(['walkRecords', 'recordCursor']);
  const uncalled = targets.flatMap(({ covers }) => covers).filter((name) => !below.has(name) && !source.includes(name));
  expect(uncalled).toEqual([]);
});

/** JSON of others: where it is read, an error must become one of ours. */
test('every file of src that reads JSON is known', () => {
  const found = files.filter((file) => /JSON\.parse\(|\.body\.json\(\)/.test(readFileSync(file, 'utf8')));
  expect(found.filter((file) => !json.includes(file))).toEqual([]);
  expect(json.filter((file) => !found.includes(file))).toEqual([]);
});

const json = [
  // In fuzz.test.ts.
  ...['src/agent/copy/journal.ts', 'src/agent/main.ts', 'src/agent/physical/file-list.ts'],
  ...['src/agent/recover/run/check-files.ts', 'src/controllers/jobs/view-job.ts', 'src/kube/api-error.ts'],
  ...['src/kubectl/log-line.ts', 'src/repository/backups.ts', 'src/repository/wal-index.ts'],
  // In answers.test.ts and files.test.ts.
  ...['src/agent/recover/run/marker.ts', 'src/kube/request.ts', 'src/repository/gcs-credentials.ts'],
  ...['src/repository/gcs-failure.ts', 'src/repository/gcs-list.ts', 'src/repository/gcs-upload.ts'],
  ...['src/repository/gcs-write.ts', 'src/repository/rclone-connection.ts'],
  // By a schema each: unit/kube/exec.test.ts, postgres/catalogue/sync.test.ts.
  ...['src/kube/exec.ts', 'src/repository/verdicts.ts'],
  // Like viewJob; and a copy of an object of our own.
  ...['src/controllers/backup-run/adopt-facts.ts', 'src/controllers/write-status.ts'],
].sort();
