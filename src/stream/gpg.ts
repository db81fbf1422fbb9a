import type { Stage } from './pipeline.ts';
import type { StageFailed } from './stage-failed.ts';

/** Of every call. Nobody is asked, nothing is taken from a configuration, and no other agent is started than gpg-keyring.ts does. */
const common = [
  ...['--batch', '--no-tty', '--quiet', '--no-options', '--no-autostart', '--lock-never', '--no-auto-check-trustdb'],
  ...['--pinentry-mode', 'error', '--status-fd', '2'],
];

/** A call of gpg with a home of ours (gpg-keyring.ts). */
export function gpg(home: string, args: readonly string[]): Stage {
  return { command: 'gpg', args: ['--homedir', home, ...common, ...args], env: environment() };
}

/** Nothing else of the agent's environment is its business. */
export function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' };
}

/** For these keys and no other, whoever vouches for them: they come from the repository's own Secret. */
export function gpgEncryptor(home: string, recipients: readonly string[]): Stage {
  const to = recipients.flatMap((fingerprint) => ['--recipient', fingerprint]);
  // What comes is packed already.
  return gpg(home, ['--trust-model', 'always', '--no-encrypt-to', '--compress-algo', 'none', '--encrypt', ...to]);
}

/** It fails at the end of what was changed or cut short, or goes on: until then what it writes is not to be trusted. */
export function gpgDecryptor(home: string): Stage {
  return gpg(home, ['--trust-model', 'always', '--decrypt']);
}

/** Whether these are the first bytes of an OpenPGP message for public keys (RFC 4880, 4.2 and 5.1: version 3). */
export function isOpenPgp(head: Buffer): boolean {
  const packet = readPacketHeader(head, 0);
  return packet?.tag === sessionKey && head[packet.content] === 3;
}

/** A session key, encrypted for one recipient. */
const sessionKey = 1;

/** Bytes of the session keys before the encrypted data; undefined where these bytes do not tell. */
export function sessionKeysLength(bytes: Buffer): number | undefined {
  for (let at = 0; ; ) {
    const packet = readPacketHeader(bytes, at);
    if (packet === undefined) return undefined;
    if (packet.tag !== sessionKey) return at;
    at = packet.content + packet.length;
  }
}

/** Of a packet with a length of its own; 0 stands for one that goes on to the end or in parts. */
function readPacketHeader(bytes: Buffer, at: number) {
  const first = bytes[at];
  if (first === undefined || bytes.length < at + 6 || (first & 0x80) === 0) return undefined;
  if ((first & 0x40) === 0) {
    const size = [1, 2, 4, 0][first & 3] ?? 0;
    const length = size === 0 ? 0 : bytes.readUIntBE(at + 1, size);
    return { tag: (first >> 2) & 15, content: at + 1 + size, length };
  }
  const tag = first & 63;
  const second = bytes[at + 1] ?? 0;
  if (second < 192) return { tag, content: at + 2, length: second };
  if (second < 224) return { tag, content: at + 3, length: ((second - 192) << 8) + (bytes[at + 2] ?? 0) + 192 };
  return second === 255
    ? { tag, content: at + 6, length: bytes.readUInt32BE(at + 2) }
    : { tag, content: at + 2, length: 0 };
}

/** See whyNotDecrypted(). gpg tells it by its status lines (doc/DETAILS), whatever its language. */
export function whyGpgFailed(failure: StageFailed): 'NoIdentityFits' | 'NoIdentity' | 'Damaged' | undefined {
  const { stderr } = failure;
  const said = (line: RegExp) => line.test(stderr);
  // That is ours to mend.
  if (lacksAgent(failure)) return undefined;
  if (said(/^\[GNUPG:\] DECRYPTION_KEY /m)) return 'Damaged';
  if (!said(/^\[GNUPG:\] ENC_TO /m)) return 'Damaged';
  if (said(/failed in gcry|Checksum error|Bad data/i)) return 'Damaged';
  // The right one is there, and without its secret part, or with a passphrase.
  return said(/^\[GNUPG:\] ENC_TO [\s\S]*^\[GNUPG:\] KEY_CONSIDERED /m) ? 'NoIdentity' : 'NoIdentityFits';
}

/** Its agent was killed, so that it knows no private key. */
export function lacksAgent({ stderr }: StageFailed): boolean {
  return /no gpg-agent running|No agent running|can't connect to the agent/i.test(stderr);
}

/** In a few words; public keys alone are spoken of. */
export function saidByGpg({ stderr, message }: StageFailed): string {
  const refused = [...stderr.matchAll(/^\[GNUPG:\] INV_RECP (\d+) (\S+)/gm)].map(
    ([, code, key]) =>
      `${key} ${invalid[code ?? ''] ?? 'has no key for encryption, or only such as have expired or were revoked'}`,
  );
  if (refused.length > 0) return refused.join(', ').slice(0, 300);
  const line = stderr.split('\n').find((one) => one.startsWith('gpg: '));
  return (line?.slice('gpg: '.length) ?? message).slice(0, 300);
}

/** GnuPG, doc/DETAILS, INV_RECP. */
const invalid: Readonly<Record<string, string>> = {
  '1': 'is not among the public keys',
  '2': 'is ambiguous',
  '3': 'cannot encrypt',
  '4': 'is revoked',
  '5': 'has expired',
  '10': 'is not trusted',
};
