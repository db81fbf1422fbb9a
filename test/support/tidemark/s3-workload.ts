import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { Kubectl } from './kubectl.ts';
import { startPortForward } from './port-forward.ts';
import { until } from './until.ts';

/** An S3 server in the cluster, and a way to it from the test's own process. */
export interface S3Workload {
  readonly namespace: string;
  /** As pods reach it. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** A client in this process; close it with the scenario that asked for it. */
  connect(): Promise<{ readonly client: S3Client; readonly close: () => Promise<void> }>;
  /** The objects of a Secret that holds the credentials, as a BackupRepository wants them. */
  secret(namespace: string, name: string): object;
  createBucket(bucket: string): Promise<void>;
}

const name = 's3';
const accessKey = 'tidemark-test';
const secretKey = 'not-a-secret-of-anybody';

export async function startS3Workload(kubectl: Kubectl, namespace: string, image: string): Promise<S3Workload> {
  await kubectl.apply(s3Objects(namespace, image));
  await until(`the S3 server in ${namespace} to be ready`, async () => {
    const deployment = await kubectl.get('deployment', name, namespace);
    return deployment?.status?.['readyReplicas'] === 1 && deployment.status['updatedReplicas'] === 1;
  });
  const connect = async () => {
    const forward = await startPortForward(kubectl, namespace, `service/${name}`, 7070);
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${forward.port}`,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    });
    const close = async () => {
      client.destroy();
      await forward.stop();
    };
    return { client, close };
  };
  return {
    namespace,
    endpoint: `http://${name}.${namespace}.svc:7070`,
    accessKey,
    secretKey,
    connect,
    secret: (secretNamespace, secretName) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: secretName, namespace: secretNamespace },
      stringData: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
    }),
    createBucket: async (bucket) => {
      const { client, close } = await connect();
      await client.send(new CreateBucketCommand({ Bucket: bucket })).finally(close);
    },
  };
}

function s3Objects(namespace: string, image: string): readonly object[] {
  const labels = { 'app.kubernetes.io/name': name };
  const metadata = { name, namespace, labels };
  const port = 7070;
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      stringData: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
    },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ name: 's3', port }] } },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata,
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } } },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 65532,
              runAsGroup: 65532,
              fsGroup: 65532,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name,
                image,
                imagePullPolicy: 'IfNotPresent',
                envFrom: [{ secretRef: { name } }],
                ports: [{ name: 's3', containerPort: port }],
                readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ['ALL'] },
                },
                volumeMounts: [
                  { name: 'data', mountPath: '/data' },
                  { name: 'tmp', mountPath: '/tmp' },
                ],
              },
            ],
            volumes: [
              { name: 'data', persistentVolumeClaim: { claimName: name } },
              { name: 'tmp', emptyDir: {} },
            ],
          },
        },
      },
    },
  ];
}
