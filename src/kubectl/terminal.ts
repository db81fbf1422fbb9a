/** Where a command's words go. Results go to `out`; everything that is said on the way goes to `say`. */
export interface Terminal {
  /** One text on standard output; a line's end is added where it has none. */
  out(text: string): void;
  /** One line on standard error. */
  say(text: string): void;
  /** Replaces the line that stands for what is under way; undefined takes it away. Silent where nobody watches. */
  live(line: string | undefined): void;
  /** Asks a person; only where `asks`. */
  confirm(question: string, signal: AbortSignal): Promise<boolean>;
  /** A person sits here who can be asked. */
  readonly asks: boolean;
  /** Standard error is a terminal: `live` shows something. */
  readonly watched: boolean;
  readonly colour: boolean;
  readonly unicode: boolean;
  readonly columns: number;
}

/**
 * Text of a cluster, for a terminal: without what moves the cursor, sets a title or turns the writing around. A line's end
 * and a tab stay as they are.
 */
export function printable(text: string): string {
  return text.replaceAll(unprintable, '\u{fffd}');
}

// Control characters, and those that reorder what stands beside them (Unicode bidirectional algorithm, 2.1 to 2.4).
const unprintable = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** As printable, in one line. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' ').trim());
}
