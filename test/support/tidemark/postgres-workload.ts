import { execa } from 'execa';
import type { Kubectl } from './kubectl.ts';

/** A PostgreSQL StatefulSet as a user would have it, and psql inside it. */
export interface PostgresWorkload {
  readonly namespace: string;
  readonly name: string;
  readonly password: string;
  /** Runs SQL by psql, as the superuser, stopping at the first error; resolves with unaligned output. */
  psql(sql: string, database?: string): Promise<string>;
  exec(command: readonly string[], input?: string): Promise<string>;
}

export interface PostgresOptions {
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  readonly password: string;
  readonly storage?: string;
  readonly args?: readonly string[];
  /** A psql of this host, where pods can be reached from it; else the pod's own is used, which costs far more. */
  readonly hostPsql?: string | undefined;
}

export async function startPostgresWorkload(kubectl: Kubectl, options: PostgresOptions): Promise<PostgresWorkload> {
  const { namespace, name, password, hostPsql } = options;
  await kubectl.apply(postgresObjects(options));
  const exec = (command: readonly string[], input?: string) =>
    kubectl.run(['exec', '-i', `${name}-0`, '-c', 'postgres', '--', ...command], {
      namespace,
      timeoutSeconds: 600,
      ...(input === undefined ? {} : { input }),
    });
  const psqlInPod = (sql: string, database: string) =>
    exec(['env', `PGPASSWORD=${password}`, 'psql', '-h', '127.0.0.1', ...psqlArgs, '-d', database], sql);
  const psqlOnHost = async (sql: string, database: string, psql: string) => {
    const pod = await kubectl.get('pod', `${name}-0`, namespace);
    const address = pod?.status?.['podIP'];
    if (typeof address !== 'string') throw new Error(`The pod ${name}-0 has no address`);
    const env = { PGPASSWORD: password, PGCONNECT_TIMEOUT: '10' };
    return (await execa(psql, ['-h', address, ...psqlArgs, '-d', database], { input: sql, env })).stdout;
  };
  const psql = (sql: string, database = 'postgres') =>
    hostPsql === undefined ? psqlInPod(sql, database) : psqlOnHost(sql, database, hostPsql);
  await kubectl.until({
    ...{ resource: 'statefulset', name, namespace, seconds: 120 },
    to: 'to be ready',
    fits: ({ status }) => status?.['readyReplicas'] === 1,
  });
  return { namespace, name, password, psql, exec };
}

const psqlArgs = ['-U', 'postgres', '-XqAt', '-v', 'ON_ERROR_STOP=1'];

/** The objects of the server: also printed by the demo, so they are plain and complete. */
export function postgresObjects({
  namespace,
  name,
  image,
  password,
  storage = '2Gi',
  args = [],
}: PostgresOptions): readonly object[] {
  const labels = { 'app.kubernetes.io/name': name };
  const metadata = { name, namespace, labels };
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      type: 'kubernetes.io/basic-auth',
      stringData: { username: 'postgres', password },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        clusterIP: 'None',
        selector: labels,
        ports: [{ name: 'postgres', port: 5432 }],
        publishNotReadyAddresses: true,
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: {
        serviceName: name,
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 30,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 999,
              runAsGroup: 999,
              fsGroup: 999,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name: 'postgres',
                image,
                imagePullPolicy: 'IfNotPresent',
                args,
                env: [{ name: 'POSTGRES_PASSWORD', valueFrom: { secretKeyRef: { name, key: 'password' } } }],
                ports: [{ name: 'postgres', containerPort: 5432 }],
                // Asked in the container until it is up, and no longer: that costs a process each time.
                startupProbe: {
                  exec: { command: ['pg_isready', '-h', '127.0.0.1', '-U', 'postgres'] },
                  periodSeconds: 1,
                  timeoutSeconds: 5,
                  failureThreshold: 300,
                },
                readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 5 },
                securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
                volumeMounts: [{ name: 'data', mountPath: '/var/lib/postgresql/data' }],
              },
            ],
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
          },
        ],
      },
    },
  ];
}
