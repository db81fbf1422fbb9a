import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Certificate } from './faulty-server.ts';

/** A certificate for an address that nobody has signed but itself. */
export async function selfSignedCertificate(address = '127.0.0.1'): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-certificate-'));
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  const name = ['-subj', '/CN=store', '-addext', `subjectAltName=IP:${address}`];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    ...name,
  ];
  await promisify(execFile)('openssl', [...args, '-out', cert, '-keyout', key]);
  const made = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
  await rm(folder, { recursive: true });
  return made;
}
