import { createListReader } from '../../../../src/agent/backup/list-reader.ts';
import { parseNamePattern } from '../../../../src/agent/backup/name-pattern.ts';
import { createScriptContents } from '../../../../src/agent/backup/script-contents.ts';
import { fileListOf } from '../../../../src/agent/physical/file-list.ts';
import { parseFiles } from '../../../../src/agent/recover/run/check-files.ts';
import { wordsOfClockAhead } from '../../../../src/agent/recover/run/clock-ahead.ts';
import {
  explainLog,
  fromLogTime,
  lastCommitTime,
  settingsTooLow,
} from '../../../../src/agent/recover/run/explain-log.ts';
import { withoutArchiving, withPrimary } from '../../../../src/agent/recover/run/settings-file.ts';
import { parseArchive } from '../../../../src/agent/restore/archive.ts';
import { readList } from '../../../../src/agent/restore/list-file.ts';
import { parseRelationPattern } from '../../../../src/agent/restore/relation-pattern.ts';
import { createRestoreOutput } from '../../../../src/agent/restore/restore-output.ts';
import { createScriptLexer } from '../../../../src/agent/restore/script/lex-script.ts';
import { createPsqlOutput } from '../../../../src/agent/restore/script/psql-output.ts';
import { readHeading } from '../../../../src/agent/restore/script/script-entry.ts';
import { splitStatements } from '../../../../src/agent/restore/sql-statements.ts';
import { findings } from '../../../../src/agent/verify/amcheck.ts';
import { answerOf } from '../../../../src/agent/verify/data-checksums.ts';
import { failureOfTool } from '../../../../src/postgres/failure.ts';
import { recognize } from '../../../../src/postgres/recognize.ts';
import { corpus, refuse, type Target } from '../target.ts';

const entries = corpus('archives').flatMap((archive) => parseArchive(archive).entries);
const access = {
  host: 'db',
  port: 5432,
  username: 'u',
  password: 'p',
  tls: { mode: 'prefer' },
  secret: 'shop/db',
} as const;

export const dumpTargets: readonly Target[] = [
  {
    name: 'archive of pg_dump',
    covers: ['parseArchive'],
    share: 5,
    corpus: corpus('archives'),
    mutates: 'bytes',
    run: (input) => parseArchive(input),
  },
  {
    name: 'list of pg_restore',
    covers: ['createListReader', 'readList'],
    share: 4,
    corpus: corpus('lists'),
    mutates: 'bytes',
    async run(input) {
      const reader = createListReader();
      for await (const part of reader.pass(pieces(input))) refuse(part.length === 0, 'nothing was given on');
      for (const file of reader.summary().dataFiles) refuse(!/^\d+\.dat$/.test(file), `a file ${JSON.stringify(file)}`);
      const known = new Set(entries);
      refuse(!readList(input.toString('utf8'), entries).every((entry) => known.has(entry)), 'an entry of nowhere');
    },
  },
  {
    name: 'plain dump',
    covers: ['createScriptLexer', 'createScriptContents', 'readHeading', 'splitStatements'],
    share: 3,
    corpus: corpus('scripts'),
    mutates: 'bytes',
    async run(input) {
      let end = 0;
      const lexer = createScriptLexer((piece) => {
        refuse(piece.start < end || piece.end < piece.start || piece.end > input.length, 'pieces that overlap');
        end = piece.end;
        if (piece.kind === 'Comment' && piece.text !== undefined) readHeading(piece.text.toString('latin1'));
      });
      for (let at = 0; at < input.length; at += 777) lexer.push(input.subarray(at, at + 777));
      lexer.end();
      splitStatements(input.subarray(0, 8192).toString('utf8'));
      const contents = createScriptContents('shop');
      for await (const part of contents.pass(pieces(input))) refuse(part.length === 0, 'nothing was given on');
      return contents.list();
    },
  },
  {
    name: 'roles and tablespaces of pg_dumpall',
    covers: ['splitStatements'],
    share: 3,
    corpus: corpus('globals'),
    mutates: 'bytes',
    run: (input) => splitStatements(input.toString('utf8')),
  },
  {
    name: 'what tools say',
    covers: ['createRestoreOutput', 'createPsqlOutput', 'recognize', 'failureOfTool', 'findings', 'answerOf'],
    share: 6,
    corpus: corpus('tool-output'),
    mutates: 'bytes',
    run(input) {
      const text = input.toString('utf8');
      const lines = text.split('\n');
      const restore = createRestoreOutput();
      const psql = createPsqlOutput();
      for (const reader of [restore, psql]) {
        for (const line of lines) reader.line(line);
        reader.end();
        refuse(reader.firstErrors().length > 10, 'more errors are kept than are shown');
      }
      const [code = ''] = lines;
      for (const word of [code.slice(0, 20), 'constructor', '__proto__', 'toString'])
        refuse(typeof (recognize(word, text) ?? '') !== 'string', `${word} is taken for a fault`);
      failureOfTool(
        { tool: 'pg_dump', how: 'exited with code 1', stderr: text, cause: undefined },
        { access, database: 'd' },
      );
      findings(text);
      answerOf(1, text, new Map());
    },
  },
  {
    name: 'log of a recovery',
    covers: ['explainLog', 'lastCommitTime', 'fromLogTime', 'settingsTooLow', 'wordsOfClockAhead'],
    share: 5,
    corpus: corpus('server-log'),
    mutates: 'bytes',
    run(input) {
      const log = input.toString('utf8');
      explainLog(log, 1, { target: 'time', endOfArchive: '0/1', endOfArchiveTime: undefined });
      lastCommitTime(log);
      const targetTime = '2026-11-22T02:23:35Z';
      const plan = { endOfArchive: '0/1', endOfArchiveTime: targetTime, targetLSN: '0/1', segmentSize: 16 * 1024 ** 2 };
      wordsOfClockAhead(log, { targetTime, plan }, { lsn: '0/1', timeline: 1 });
      fromLogTime(log.slice(0, 40));
      for (const { needed } of settingsTooLow(log)) refuse(Number.isNaN(needed), 'a number that is none');
    },
  },
  {
    name: 'backup_manifest',
    covers: ['parseFiles', 'fileListOf'],
    share: 4,
    corpus: corpus('backup-manifest'),
    mutates: 'bytes',
    run(input) {
      for (const { size } of parseFiles(input.toString('utf8'), 'b')) refuse(!Number.isFinite(size), 'no size');
      return fileListOf(input);
    },
  },
  {
    name: 'lines of a backup_manifest',
    covers: ['fileListOf'],
    share: 3,
    corpus: corpus('backup-manifest'),
    mutates: 'bytes',
    run: (input) => fileListOf(input),
  },
  {
    name: 'postgresql.auto.conf',
    covers: ['withPrimary', 'withoutArchiving'],
    share: 3,
    corpus: corpus('settings'),
    mutates: 'bytes',
    run(input) {
      const text = withoutArchiving(input.toString('utf8'));
      const primary = withPrimary(text, { host: 'db', port: 5432, username: "o'clock\\", password: "a'\\\n b" });
      refuse(
        primary.split('\n').filter((line) => /^\s*primary_conninfo(?![\w.])/i.test(line)).length !== 1,
        'two primaries',
      );
    },
  },
  {
    name: 'patterns',
    covers: ['parseNamePattern', 'parseRelationPattern'],
    share: 4,
    corpus: ['orders', '"Odd Name".*', 'shop.orders_?[0-9]+', 'a|b(c)', '*'].map((text) => Buffer.from(text)),
    mutates: 'bytes',
    run(input) {
      const text = input.toString('utf8').slice(0, 256);
      parseRelationPattern(text);
      return parseNamePattern(text);
    },
  },
];

export async function* pieces(bytes: Buffer, size = 777): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
