import type { Kubectl } from './kubectl.ts';

export interface HookRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization?: string;
  readonly body: string;
}

/** A web server in the namespace, which hooks are sent to: /fail answers 500, anything else 200. */
export interface HookReceiver {
  url(path: string): string;
  /** All that came, the oldest first. */
  received(): Promise<readonly HookRequest[]>;
}

const name = 'hook-receiver';
const port = 8000;
const program = `
require('node:http').createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => { body += chunk; }).on('end', () => {
    const { method, url: path, headers: { authorization } } = request;
    console.log(JSON.stringify({ method, path, authorization, body }));
    response.writeHead(path.startsWith('/fail') ? 500 : 200).end('received');
  });
}).listen(${port});`;

/** `image` is one that has Node.js: the agent's. */
export async function startHookReceiver(kubectl: Kubectl, namespace: string, image: string): Promise<HookReceiver> {
  const labels = { 'app.kubernetes.io/name': name };
  await kubectl.apply([
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { selector: labels, ports: [{ port }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 65532,
          runAsGroup: 65532,
          seccompProfile: { type: 'RuntimeDefault' },
        },
        containers: [
          {
            name,
            image,
            imagePullPolicy: 'IfNotPresent',
            command: ['/usr/local/bin/node', '--eval', program],
            readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          },
        ],
      },
    },
  ]);
  await kubectl.until({
    ...{ resource: 'pod', name, namespace, seconds: 120 },
    to: 'to be ready',
    fits: ({ status }) =>
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true,
  });
  return {
    url: (path) => `http://${name}.${namespace}.svc:${port}${path}`,
    received: async () =>
      (await log(kubectl, namespace))
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as HookRequest),
  };
}

function log(kubectl: Kubectl, namespace: string): Promise<string> {
  return kubectl.run(['logs', name], { namespace });
}
