import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { BuildOptions } from './build.ts';
import type { Buildah } from './buildah.ts';
import type { Suite } from './recipe.ts';

/** Where a mirror speaks TLS, builds see the host's certificates here; they do not become part of an image. */
export const hostCertificates = {
  host: '/etc/ssl/certs/ca-certificates.crt',
  build: '/run/host-certificates.crt',
} as const;

// What a -slim image leaves out. Raised when the recipe below changes.
const revision = '1';
const left = ['/usr/share/man/*', '/usr/share/info/*', '/usr/share/locale/*', '/usr/share/doc/*'];

export function baseReference(suite: Suite): string {
  return `localhost/tidemark/debian:${suite}-${revision}`;
}

/** A minimal Debian, made from packages with the host's own mirror: what `debian:SUITE-slim` is where there is a registry. */
export async function ensureBaseImage(suite: Suite, buildah: Buildah, { log, signal }: BuildOptions): Promise<string> {
  const reference = baseReference(suite);
  if ((await buildah(['images', '--quiet', '--filter', `reference=${reference}`])) !== '') return reference;
  log(`Making a base of Debian ${suite}`);
  const tar = join(tmpdir(), `tidemark-debian-${suite}-${process.pid}.tar`);
  try {
    await bootstrap(suite, tar, signal);
    const container = (await buildah(['from', 'scratch'])).trim();
    await buildah(['add', '--quiet', container, tar, '/']);
    await buildah(['commit', '--quiet', '--rm', container, reference]);
  } finally {
    await rm(tar, { force: true });
  }
  return reference;
}

async function bootstrap(suite: Suite, tar: string, signal: AbortSignal | undefined): Promise<void> {
  const mirrors = await hostMirrors();
  const secure =
    mirrors.security === undefined || suite === 'sid' ? [] : [`deb ${mirrors.security} ${suite}-security main`];
  const sources = mirrors.main === undefined ? [] : [`deb ${mirrors.main} ${suite} main`, ...secure];
  const tls = sources.some((source) => source.startsWith('deb https:'));
  await execa(
    'mmdebstrap',
    [
      '--variant=apt',
      // A mirror may be a snapshot, and releases without support are not signed anew.
      '--aptopt=Acquire::Check-Valid-Until "false"',
      ...left.map((path) => `--dpkgopt=path-exclude=${path}`),
      '--dpkgopt=path-include=/usr/share/doc/*/copyright',
      ...(tls
        ? [
            `--customize-hook=echo 'Acquire::https::CaInfo "${hostCertificates.build}";' >"$1/etc/apt/apt.conf.d/99certificates"`,
          ]
        : []),
      suite,
      tar,
      ...sources,
    ],
    { all: true, env: { TMPDIR: tmpdir() }, ...(signal === undefined ? {} : { cancelSignal: signal }) },
  ).catch((error: unknown) => {
    throw new Error(
      `Debian ${suite} could not be made from the host's package mirror. Is it reachable, and does it carry ${suite}?`,
      { cause: error },
    );
  });
}

/** The mirrors that the host's own apt uses; none named means mmdebstrap's default, which is Debian's public one. */
export async function hostMirrors(): Promise<{
  readonly main: string | undefined;
  readonly security: string | undefined;
}> {
  const format = '$(ORIGIN) $(LABEL) $(REPO_URI)';
  const { stdout } = await execa('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const of = (label: string) =>
    stdout
      .split('\n')
      .map((line) => line.split(' '))
      .find((words) => words[0] === 'Debian' && words[1] === label)?.[2];
  return { main: of('Debian'), security: of('Debian-Security') };
}
