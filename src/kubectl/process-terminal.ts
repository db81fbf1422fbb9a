import confirm from '@inquirer/confirm';
import stringWidth from 'string-width';
import { fitted } from './table.ts';
import type { Terminal } from './terminal.ts';

const defaultColumns = 100;
const fewestColumns = 40;

export type Streams = Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr' | 'env'>;

/** The terminal of this process: plain where it is none, without colour where NO_COLOR (no-color.org) is set. */
export function processTerminal({ stdin, stdout, stderr, env }: Streams): Terminal {
  let shown = false;
  const watched = stderr.isTTY === true && env['TERM'] !== 'dumb';
  const clear = () => {
    if (shown) stderr.write('\r\x1b[K');
    shown = false;
  };
  const line = (text: string) => (text.endsWith('\n') ? text : `${text}\n`);
  return {
    out: (text) => {
      clear();
      stdout.write(line(text));
    },
    say: (text) => {
      clear();
      stderr.write(line(text));
    },
    live: (text) => {
      if (!watched) return;
      clear();
      if (text === undefined) return;
      // One that wraps could not be taken back.
      const width = columnsOf(stderr) - 1;
      stderr.write(stringWidth(text) > width ? fitted(text, width) : text);
      shown = true;
    },
    confirm: async (message, signal) => {
      clear();
      return await confirm({ message, default: false }, { input: stdin, output: stderr, signal });
    },
    asks: stdin.isTTY === true && stderr.isTTY === true,
    watched,
    colour: stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
    unicode: /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || ''),
    columns: columnsOf(stdout),
  };
}

/** A terminal that was never told its size says 0. */
function columnsOf(stream: NodeJS.WriteStream): number {
  return Math.max(fewestColumns, stream.columns || defaultColumns);
}
