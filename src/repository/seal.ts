import { sha256Of } from '../stream/digest.ts';

/** The last member of a manifest: the digest of the same text without it. */
const sealed = /,\n {2}"seal": "(sha256:[0-9a-f]{64})"\n\}\n$/;
/** No other last member is so long: a seal whose name is damaged. */
const broken = /\n {2}"[^"\n]*": "[^"\n]{60,80}"\n\}\n?$/;
const end = '\n}\n';

/** Of an object as JSON.stringify(value, undefined, 2) writes it, and a line's end. */
export function seal(text: string): string {
  return `${text.slice(0, -end.length)},\n  "seal": "${digest(text)}"${end}`;
}

/**
 * Whether a text is not what was sealed. One without a seal is older than seals are: nothing is known of it. It tells damage,
 * not a forger, who seals anew: that is told by the digest in the BackupRun.
 */
export function isSealBroken(text: string): boolean {
  const found = sealed.exec(text);
  if (found === null) return broken.test(text);
  return digest(`${text.slice(0, found.index)}${end}`) !== found[1];
}

function digest(text: string): string {
  return sha256Of(Buffer.from(text));
}
