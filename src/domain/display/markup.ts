/** A value as text of SVG, XML or HTML, within an element or a quoted attribute: nothing of it is ever markup. */
export function escapeMarkup(value: string): string {
  return value.replaceAll(notXml, '\u{fffd}').replaceAll(/[&<>"'`]/g, (letter) => entities[letter] ?? letter);
}

const entities: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' },
};
// XML 1.0, 2.2: what is no Char, lone surrogates among it; and what reorders the text beside it.
const notXml =
  /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|[\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
