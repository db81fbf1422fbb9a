import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { processTerminal, type Streams } from '../../../src/kubectl/process-terminal.ts';

interface Given {
  readonly out?: object;
  readonly err?: object;
  readonly env?: Readonly<Record<string, string>>;
}

function terminal({ out = {}, err = {}, env = {} }: Given) {
  const written = { out: '', err: '' };
  const stream = (name: 'out' | 'err', more: object) => {
    const through = new PassThrough();
    through.on('data', (data) => {
      written[name] += String(data);
    });
    return Object.assign(through, more);
  };
  const streams = { stdin: { isTTY: true }, stdout: stream('out', out), stderr: stream('err', err), env };
  return { written, terminal: processTerminal(streams as unknown as Streams) };
}

const tty = { isTTY: true, columns: 60 };

test('where it is no terminal, everything is plain, and nothing is replaced', () => {
  const { terminal: plain, written } = terminal({ env: { LANG: 'C.UTF-8' } });
  plain.live('half done');
  plain.say('a step');
  plain.out('the result');
  plain.live(undefined);
  expect(written).toEqual({ out: 'the result\n', err: 'a step\n' });
  expect(plain).toMatchObject({ asks: false, watched: false, colour: false, unicode: true, columns: 100 });
});

test('on a terminal a line is replaced, is never wider than that, and gives way to words', () => {
  const { terminal: watched, written } = terminal({ out: tty, err: tty });
  watched.live('a'.repeat(100));
  watched.live('second');
  watched.say('a step');
  watched.live('third');
  watched.out('the result');
  expect(written.err).toBe(`${'a'.repeat(56)}...\r\u001b[Ksecond\r\u001b[Ka step\nthird\r\u001b[K`);
  expect(written.out).toBe('the result\n');
  expect(watched).toMatchObject({ asks: true, watched: true, colour: true, unicode: false, columns: 60 });
});

test.each([
  ['NO_COLOR', { env: { NO_COLOR: '1' } }, { colour: false, watched: true }],
  ['an empty NO_COLOR, which asks for nothing', { env: { NO_COLOR: '' } }, { colour: true }],
  ['a dumb terminal', { env: { TERM: 'dumb' } }, { colour: false, watched: false }],
  ['a terminal that does not know its size', { out: { isTTY: true, columns: 0 } }, { columns: 100 }],
  ['a very small one', { out: { isTTY: true, columns: 12 } }, { columns: 40 }],
] as const)('%s', (_, given, expected) => {
  expect(terminal({ out: tty, err: tty, ...given }).terminal).toMatchObject(expected);
});
