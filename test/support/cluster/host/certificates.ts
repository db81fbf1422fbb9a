import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { layout } from './layout.ts';

const subjects = {
  admin: '/O=system:masters/CN=kubernetes-admin',
  'controller-manager': '/CN=system:kube-controller-manager',
  scheduler: '/CN=system:kube-scheduler',
  kubelet: '/O=system:nodes/CN=system:node:tidemark',
  'kube-proxy': '/CN=system:kube-proxy',
  'kubelet-client': '/O=system:masters/CN=kube-apiserver-kubelet-client',
} as const;

export type Identity = keyof typeof subjects;

const serving = [
  'DNS:kubernetes',
  'DNS:kubernetes.default',
  'DNS:kubernetes.default.svc',
  'DNS:kubernetes.default.svc.cluster.local',
  'DNS:localhost',
  `IP:${layout.kubernetesService}`,
  `IP:${layout.node}`,
  'IP:127.0.0.1',
].join(',');

/** The cluster's authority, a certificate for each component, the service accounts' key, and the kubeconfigs. */
export async function ensureCertificates(): Promise<void> {
  const done = join(layout.certificates, 'complete');
  if (await exists(done)) return;
  await mkdir(layout.certificates, { recursive: true, mode: 0o700 });
  await mkdir(layout.kubeconfigs, { recursive: true, mode: 0o700 });
  await openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '3650',
    '-subj',
    '/CN=tidemark-test-ca',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  );
  await openssl('genrsa', '-out', 'service-accounts.key', '2048');
  await openssl('rsa', '-in', 'service-accounts.key', '-pubout', '-out', 'service-accounts.pub');
  await sign('apiserver', '/CN=kube-apiserver', `subjectAltName=${serving}\nextendedKeyUsage=serverAuth\n`);
  for (const [identity, subject] of Object.entries(subjects)) {
    await sign(identity, subject, 'extendedKeyUsage=clientAuth\n');
    await writeKubeconfig(identity);
  }
  await writeFile(done, '');
}

export function kubeconfigOf(identity: Identity): string {
  return join(layout.kubeconfigs, `${identity}.conf`);
}

async function sign(name: string, subject: string, extensions: string): Promise<void> {
  await openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    subject,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
  );
  await writeFile(join(layout.certificates, `${name}.ext`), extensions);
  await openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '3650',
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.crt`,
  );
}

async function writeKubeconfig(identity: string): Promise<void> {
  const data = async (file: string) => (await readFile(join(layout.certificates, file))).toString('base64');
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'tidemark',
    contexts: [{ name: 'tidemark', context: { cluster: 'tidemark', user: identity } }],
    clusters: [
      {
        name: 'tidemark',
        cluster: {
          server: `https://${layout.node}:${layout.apiPort}`,
          'certificate-authority-data': await data('ca.crt'),
        },
      },
    ],
    users: [
      {
        name: identity,
        user: {
          'client-certificate-data': await data(`${identity}.crt`),
          'client-key-data': await data(`${identity}.key`),
        },
      },
    ],
  };
  await writeFile(join(layout.kubeconfigs, `${identity}.conf`), stringify(kubeconfig), { mode: 0o600 });
}

async function openssl(...args: readonly string[]): Promise<void> {
  await execa('openssl', args, { cwd: layout.certificates });
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
