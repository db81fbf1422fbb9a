import { isOpenPgp, sessionKeysLength } from './gpg.ts';

/** Of a payload without content: a nonce and the tag of one empty chunk (age-encryption.org/v1, "Payload"). */
const emptyPayload = 32;
/** Of gpg: an empty literal in a packet of encrypted data with its authentication, by CFB and MDC 53 bytes, or by OCB 70. */
const emptyMessage = 70;
/** Many recipients with long keys. */
const longestHeader = 256 * 1024;
const lastLine = Buffer.from('\n--- ');

/** Notices whether there was anything in an age file or an OpenPGP message that passes by. */
export function watchForContent(source: AsyncIterable<Buffer>): {
  readonly stream: AsyncIterable<Buffer>;
  /** Of what has passed: false where it is a header with nothing behind it, or nothing at all. */
  readonly hadContent: () => boolean;
} {
  let size = 0;
  let head: Buffer | undefined = Buffer.alloc(0);
  let header: number | undefined;
  let empty = emptyPayload;
  async function* pass() {
    for await (const chunk of source) {
      size += chunk.length;
      if (head !== undefined) {
        head = Buffer.concat([head, chunk.subarray(0, longestHeader)]);
        const isMessage = isOpenPgp(head);
        header = isMessage ? sessionKeysLength(head) : headerLength(head);
        if (isMessage) empty = emptyMessage;
        if (header !== undefined || head.length >= longestHeader) head = undefined;
      }
      yield chunk;
    }
  }
  return { stream: pass(), hadContent: () => size > (header ?? 0) + empty };
}

/** Bytes up to and with the line of the MAC; undefined where it is not among these. */
export function headerLength(bytes: Buffer): number | undefined {
  const mac = bytes.indexOf(lastLine);
  const end = mac === -1 ? -1 : bytes.indexOf('\n', mac + lastLine.length);
  return end === -1 ? undefined : end + 1;
}
