import { escapeMarkup } from '../../domain/display/markup.ts';

class Markup {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

export type { Markup };

/** What stands in a page: text is escaped, undefined and false are nothing. */
export type Content = string | number | undefined | false | Markup | readonly Content[];

/** Markup of which the literal parts were written here, and every value is text, or markup that came about like this. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(parts.map((part, index) => (index === 0 ? part : `${textOf(values[index - 1])}${part}`)).join(''));
}

/** Of a maker that escapes by itself: the style, a picture. Never of an object's. */
export function made(text: string): Markup {
  return new Markup(text);
}

function textOf(value: Content): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Markup) return value.toString();
  if (Array.isArray(value)) return value.map(textOf).join('');
  // Whatever an object holds that is older than its definition: it is text, too.
  return escapeMarkup(String(value));
}
