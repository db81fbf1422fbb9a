import { defaultMajor } from './binaries.ts';

/** Debian packages for tests on the host: a server, more languages for its functions, and the programs of the agent. */
export const hostPackages: readonly string[] = [
  ...['', '-client', '-plperl', '-plpython3'].map((part) => `postgresql${part}-${defaultMajor}`),
  ...['zstd', 'pigz', 'lz4', 'age', 'gpg', 'gpg-agent', 'tar', 'openssl'],
  // A C compiler of 0.3 MB, for the label provider (label-provider.ts).
  'tcc',
];
