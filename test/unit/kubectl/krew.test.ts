import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type Packed, pack } from '../../support/krew/pack.ts';
import { ClusterServer } from './cluster-server.ts';
import { policy } from './objects.ts';

describe('the plugin as krew installs it', () => {
  const address = 'https://releases.example.com/tidemark.tar.gz';
  let folder: string;
  let packed: Packed;
  let cluster: ClusterServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidemark-krew-test-'));
    packed = await pack(join(folder, 'release'), address);
    // krew unpacks into a store, and links the program's name into a folder of the PATH.
    await Promise.all([mkdir(join(folder, 'store')), mkdir(join(folder, 'bin'))]);
    await execa('tar', ['-xzf', packed.archive, '-C', join(folder, 'store')]);
    await symlink(join(folder, 'store/kubectl-tidemark.mjs'), join(folder, 'bin/kubectl-tidemark'));
    cluster = await ClusterServer.start();
  }, 120_000);

  afterAll(async () => {
    await cluster?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    execa(join(folder, 'bin/kubectl-tidemark'), args, {
      cwd: folder,
      reject: false,
      extendEnv: false,
      env: { PATH: `${join(process.execPath, '..')}:/usr/bin:/bin`, HOME: folder, TZ: 'Europe/Amsterdam', ...env },
    });

  test('has a manifest that names what is in the archive', async () => {
    const { metadata, spec } = parse(await readFile(packed.manifest, 'utf8'));
    const [platform] = spec.platforms;
    const checksum = createHash('sha256')
      .update(await readFile(packed.archive))
      .digest('hex');
    expect(metadata.name).toBe('tidemark');
    expect(spec.version).toMatch(/^v[0-9]+\.[0-9]+\.[0-9]+$/);
    expect(platform).toMatchObject({ uri: address, sha256: checksum, bin: 'kubectl-tidemark.mjs' });
    const { stdout } = await execa('tar', ['-tzf', packed.archive]);
    const names = stdout.split('\n');
    for (const { from } of platform.files)
      expect(names.some((name) => name === from || name.startsWith(`${from}/`))).toBe(true);
    // The licence of a package whose code is in the program.
    expect(names).toContain('licences/commander/LICENSE');
    expect(spec.shortDescription.length).toBeLessThan(80);
  });

  test('runs with Node alone, away from its packages', async () => {
    const { exitCode, stdout, stderr } = await run(['--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('Usage: kubectl-tidemark <command> [options]');
  });

  test('reads a kubeconfig and its context, asks the API server, and writes plain text where nobody watches', async () => {
    cluster.put(policy());
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'elsewhere' },
      clusters: [{ name: 'here', cluster: { server: cluster.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'me', user: { token: 'secret' } }],
      contexts: [{ name: 'here', context: { cluster: 'here', user: 'me', namespace: 'shop' } }],
    };
    await writeFile(join(folder, 'kubeconfig'), stringify(config));
    const env = { KUBECONFIG: join(folder, 'kubeconfig') };
    const { stdout, exitCode } = await run(['timeline', 'orders', '--context', 'here'], env);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Restorable to any moment from 2026-11-08 01:20:00 +01:00 to 2026-11-21 11:14:00 +01:00.');
    expect(stdout).toMatch(/^[\n\x20-\x7e]*$/);
  });
});
