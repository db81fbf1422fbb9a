import type { Hook } from '../../api/hooks.ts';

/** What a hook does, in words that anybody may read: of a URL the host alone, of a command the program alone. */
export function describeHook({ exec, http }: Hook, pod?: string): string {
  if (http !== undefined) return `${http.method} to ${hostOf(http.url)}`;
  const [program = ''] = exec?.command ?? [];
  return `${program.slice(0, 128)} in ${pod === undefined ? 'the pod' : `pod ${pod}`}`;
}

/** The rest of a URL is often a secret: whoever knows https://hc-ping.com/<uuid> may ping. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'a URL that cannot be read';
}

/** Shorter ones would be found where nothing secret stands. */
const shortestSecret = 6;

/** What is not to be repeated of a URL: all of it but the host, as a whole and in its parts. */
export function secretsOfUrl(url: string): readonly string[] {
  if (!URL.canParse(url)) return [url];
  const { pathname, search, hash, username, password } = new URL(url);
  const parts = [`${pathname}${search}`, pathname, search, hash, username, password];
  const pieces = [...pathname.split('/'), ...search.slice(1).split(/[&=]/)];
  return [...parts, ...pieces].flatMap((part) => [part, decoded(part)]);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Takes out of what a server or a command has answered whatever of these it repeats. */
export function hide(text: string, secrets: readonly string[]): string {
  const longestFirst = secrets
    .filter((secret) => secret.length >= shortestSecret)
    .toSorted((a, b) => b.length - a.length);
  return longestFirst.reduce((hidden, secret) => hidden.replaceAll(secret, '…'), text);
}

/** The end of what was said, on one line, without what would move a terminal's cursor. */
export function tailOf(text: string, length = 400): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const line = text.replaceAll(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim();
  const characters = [...line];
  return characters.length <= length ? line : `…${characters.slice(-length).join('')}`;
}
