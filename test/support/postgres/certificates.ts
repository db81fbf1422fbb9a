import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

export interface Certificates {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** A key of RSA takes a third of a second of a processor to find, one of these next to nothing. */
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

/** A certificate authority and a certificate of it for one name (`DNS:localhost`, `IP:127.0.0.1`), in PEM. */
export async function makeCertificates({
  subject,
  alternativeName,
}: {
  readonly subject: string;
  readonly alternativeName?: string;
}): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-certificates-'));
  const openssl = (...args: readonly string[]) => execa('openssl', args, { cwd: folder });
  try {
    await openssl(
      'req',
      '-x509',
      ...newKey,
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-days',
      '2',
      '-subj',
      '/CN=Test authority',
    );
    await openssl('req', ...newKey, '-nodes', '-keyout', 'one.key', '-out', 'one.csr', '-subj', `/CN=${subject}`);
    await writeFile(
      join(folder, 'extensions'),
      alternativeName === undefined ? '' : `subjectAltName=${alternativeName}\n`,
    );
    await openssl(
      'x509',
      '-req',
      '-in',
      'one.csr',
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      'one.crt',
      '-days',
      '2',
      '-extfile',
      'extensions',
    );
    const [authority, certificate, key] = await Promise.all(
      ['ca.crt', 'one.crt', 'one.key'].map((name) => readFile(join(folder, name), 'utf8')),
    );
    return { authority: authority ?? '', certificate: certificate ?? '', key: key ?? '' };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
