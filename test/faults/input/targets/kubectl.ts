import { bytes, relative, secondsBetween } from '../../../../src/domain/display/quantities.ts';
import { quantityOf } from '../../../../src/domain/quantity.ts';
import { parseMoment } from '../../../../src/domain/recovery/moment.ts';
import { readableLogLine } from '../../../../src/kubectl/log-line.ts';
import { choice, durationOption, wholeNumber } from '../../../../src/kubectl/options.ts';
import { parseDuration } from '../../../../src/kubectl/parse-duration.ts';
import { parsePastMoment } from '../../../../src/kubectl/parse-moment.ts';
import { sinceTime } from '../../../../src/kubectl/period.ts';
import { oneLine, printable } from '../../../../src/kubectl/terminal.ts';
import { parseReference } from '../../../../src/kubectl/work-reference.ts';
import {
  parseAssertion,
  parseDatabase,
  parseServer,
  parseWorkload,
} from '../../../../src/kubectl/workload-argument.ts';
import { corpus, refuse, type Target } from '../target.ts';

const now = new Date('2026-11-21T12:00:00Z');
const lines = (folder: string) =>
  corpus(folder).flatMap((file) =>
    file
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => Buffer.from(line)),
  );

export const kubectlTargets: readonly Target[] = [
  {
    name: 'time that a person says',
    covers: ['parsePastMoment', 'parseMoment', 'sinceTime'],
    share: 2,
    corpus: lines('kubectl/times.txt'),
    mutates: 'bytes',
    run(input) {
      const text = input.toString('utf8');
      const moment = parsePastMoment(text, now, 'Europe/Amsterdam');
      refuse(!(moment <= now.getTime() * 1000), `${JSON.stringify(text)} is ${moment}, which has not come yet`);
    },
  },
  {
    name: 'RFC 3339',
    covers: ['parseMoment'],
    share: 3,
    corpus: [Buffer.from('2026-11-21T10:15:00+01:00'), Buffer.from('2026-11-21T10:15:00.123456Z')],
    mutates: 'bytes',
    run(input) {
      refuse(!Number.isFinite(parseMoment(input.toString('utf8'))), 'no moment');
    },
  },
  {
    name: 'arguments of kubectl tidemark',
    covers: [
      'parseReference',
      'parseWorkload',
      'parseServer',
      'parseDatabase',
      'parseAssertion',
      'parseDuration',
      'quantityOf',
    ],
    share: 5,
    corpus: lines('kubectl/arguments.txt'),
    mutates: 'bytes',
    run(input) {
      const text = input.toString('utf8');
      const readers = [
        parseReference,
        parseWorkload,
        parseServer,
        parseDatabase,
        parseAssertion,
        durationOption,
        wholeNumber,
        choice(['Full', 'Incremental']),
      ];
      const errors = readers.flatMap((read) => caught(() => read(text)));
      parseDuration(text);
      quantityOf(text);
      bytes(text);
      relative(text, now);
      secondsBetween(text, text);
      for (const error of errors) throw error;
    },
  },
  {
    name: 'text for a terminal',
    covers: ['readableLogLine', 'printable', 'oneLine'],
    share: 4,
    corpus: lines('kubectl/log-lines.txt'),
    mutates: 'bytes',
    run(input) {
      const text = input.toString('utf8');
      readableLogLine(text);
      refuse(
        ['\u001b', '\u009b', '\u202e', '\r'].some((each) => printable(text).includes(each)),
        'what moves the cursor or turns the writing around',
      );
      refuse(
        ['\n', '\u001b'].some((each) => oneLine(text).includes(each)),
        'more than a line',
      );
    },
  },
  {
    name: 'since',
    covers: ['sinceTime'],
    share: 1,
    corpus: lines('kubectl/times.txt'),
    mutates: 'bytes',
    run(input) {
      refuse(Number.isNaN(sinceTime(input.toString('utf8'), now, 'UTC').getTime()), 'no time');
    },
  },
];

/** All of them are tried; the first that is not our own is what is told. */
function caught(read: () => unknown): readonly unknown[] {
  try {
    read();
    return [];
  } catch (error) {
    return error instanceof Error && error.name === 'Stop' ? [] : [error];
  }
}
