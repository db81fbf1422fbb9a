import { beforeEach, describe, expect, test } from 'vitest';
import type { ExecPlace } from '../../../../src/agent/hooks/exec-right.ts';
import { containerOf } from '../../../../src/agent/hooks/exec-target.ts';
import { createHookRunner } from '../../../../src/agent/hooks/run-hook.ts';
import { hooks as schema } from '../../../../src/api/hooks.ts';
import { named } from '../../../../src/domain/hooks/name.ts';
import { noticeOf } from '../../../../src/domain/hooks/notice.ts';
import { clientOf } from '../../../../src/kube/request.ts';
import type { Pod } from '../../../../src/kube/workloads.ts';
import { ExecServer, exited, success } from '../../../support/exec-server.ts';

const place: ExecPlace = {
  workload: { kind: 'StatefulSet', name: 'orders-db' },
  account: 'tidemark-agent',
  roleKind: 'ClusterRole',
};
const container = (name: string, port?: number) => ({
  name,
  ...(port === undefined ? {} : { ports: [{ containerPort: port }] }),
});
const pod = (name: string, containers: readonly object[] = [container('postgres', 5432)], more: object = {}) =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid: name, resourceVersion: '1', creationTimestamp: '' },
    spec: { containers },
    status: { phase: 'Running', podIP: '10.0.0.1' },
    ...more,
  }) as unknown as Pod;

let api: ExecServer;
let pods: readonly Pod[];
let allowed: (verb: string) => boolean;
beforeEach(async () => {
  api = await ExecServer.start();
  pods = [pod('orders-db-0')];
  allowed = () => true;
  api.answer = (method, path, body) => {
    if (path.endsWith('/selfsubjectaccessreviews')) {
      const { spec } = body as { spec: { resourceAttributes: { verb: string } } };
      return { status: 201, body: { status: { allowed: allowed(spec.resourceAttributes.verb) } } };
    }
    if (path.includes('/statefulsets/'))
      return { status: 200, body: { spec: { selector: { matchLabels: { app: 'orders-db' } }, template: {} } } };
    if (method === 'GET' && /\/pods(\?|$)/.test(path)) return { status: 200, body: { items: pods } };
    const found = pods.find(({ metadata }) => path.endsWith(`/pods/${metadata.name}`));
    return found === undefined ? { status: 404, body: { reason: 'NotFound' } } : { status: 200, body: found };
  };
  return () => api.close();
});

/** Runs one command as the Job of the hooks does, to which the server may be away. */
async function run(
  exec: object = { command: ['psql', '-c', 'checkpoint'] },
  options: {
    readonly known?: string;
    readonly place?: ExecPlace;
    readonly signal?: AbortSignal;
    readonly seconds?: number;
  } = {},
) {
  const client = clientOf({
    url: api.url,
    namespace: 'shop',
    credentials: async () => ({ tls: {}, headers: {} }),
  });
  const hooks = schema.parse({ postBackup: [{ exec, timeoutSeconds: options.seconds ?? 1 }] });
  const [hook] = named(hooks, 'postBackup');
  if (hook === undefined) throw new Error('there is a hook');
  const runner = createHookRunner({
    client,
    namespace: 'shop',
    work: { ...hooks, exec: options.place ?? place },
    server: undefined,
    knownPod: options.known,
    leniently: true,
  });
  const names = { namespace: 'shop', policy: 'orders', run: 'orders-1', runUID: 'u-1', schedule: undefined };
  const told = {
    ...names,
    method: 'Logical',
    type: 'Full',
    phase: 'Failed',
    reason: '',
    error: '',
    status: {},
  } as const;
  const signal = options.signal ?? AbortSignal.timeout(120_000);
  try {
    return await runner.run(hook, noticeOf(told, hook.name), signal);
  } finally {
    await client.close();
  }
}

describe('a hook that runs a command', () => {
  test('succeeds with exit code 0', async () => {
    expect(await run()).toMatchObject({ state: 'Succeeded' });
    expect(api.asked[0]?.url.pathname).toBe('/api/v1/namespaces/shop/pods/orders-db-0/exec');
    expect(api.asked[0]?.url.searchParams.get('container')).toBe('postgres');
  });

  test('fails with any other, and tells the end of what it said, not its arguments', async () => {
    api.onExec = (channels) => {
      channels.say(2, 'psql: error: invalid option -- password=canary-9hT2vXq7');
      channels.say(3, exited(1));
    };
    const { state, message, retryable } = await run({ command: ['psql', 'password=canary-9hT2vXq7'] });
    expect({ state, retryable }).toEqual({ state: 'Failed', retryable: false });
    expect(message).toMatch(
      /^psql in container postgres of pod orders-db-0 ended with exit code 1\. It said: psql: error/,
    );
    expect(message).not.toContain('canary');
  });

  test('is given up when it takes too long, and what goes on in the pod is said', async () => {
    api.onExec = () => undefined;
    const outcome = await run();
    expect(outcome).toMatchObject({
      state: 'Failed',
      message: expect.stringMatching(/within 1 s.*may go on in the pod/),
    });
  });

  test('of which the end is not known may have been done', async () => {
    api.onExec = (channels) => channels.reset();
    expect(await run()).toMatchObject({ retryable: true, message: expect.stringContaining('is not known') });
  });

  test('runs where the hooks of the run ran before, and nowhere else', async () => {
    pods = [pod('orders-db-0'), pod('orders-db-1')];
    await run(undefined, { known: 'orders-db-1' });
    expect(api.asked[0]?.url.pathname).toContain('/orders-db-1/');
    pods = [pod('orders-db-0')];
    expect(await run(undefined, { known: 'orders-db-1' })).toMatchObject({
      message: expect.stringContaining('The pod shop/orders-db-1, in which a hook'),
    });
  });

  test('waits for a pod that is on its way, as long as it has time', async () => {
    const answer = api.answer;
    let looks = 0;
    api.answer = (method, path, body) => {
      if (path.endsWith('/pods/orders-db-0')) looks += 1;
      return looks === 1 ? { status: 404, body: { reason: 'NotFound' } } : answer(method, path, body);
    };
    expect(await run(undefined, { known: 'orders-db-0', seconds: 20 })).toMatchObject({ state: 'Succeeded' });
    expect(looks).toBe(2);
  });

  test('of a Deployment runs in the pod that has taken the other’s place', async () => {
    const answer = api.answer;
    api.answer = (method, path, body) => answer(method, path.replace('/deployments/', '/statefulsets/'), body);
    pods = [pod('orders-db-new')];
    const workload = { kind: 'Deployment', name: 'orders-db' } as const;
    expect(await run(undefined, { known: 'orders-db-old', place: { ...place, workload } })).toMatchObject({
      state: 'Succeeded',
    });
    expect(api.asked[0]?.url.pathname).toContain('/orders-db-new/');
  });

  test('runs in the pod that source names', async () => {
    pods = [pod('single')];
    await run(undefined, { place: { ...place, workload: { kind: 'Pod', name: 'single' } } });
    expect(api.asked[0]?.url.pathname).toContain('/single/');
  });

  test.each(['get', 'create'])(
    'is not begun without the right to %s, and the command that grants it is told',
    async (verb) => {
      allowed = (asked) => asked !== verb;
      const { state, message } = await run();
      expect(state).toBe('Failed');
      expect(message).toContain(
        'kubectl create rolebinding tidemark-exec-hooks --namespace shop --clusterrole=tidemark-exec-hooks --serviceaccount=shop:tidemark-agent',
      );
      expect(api.asked).toEqual([]);
      const asRole = await run(undefined, { place: { ...place, roleKind: 'Role', account: 'mine' } });
      expect(asRole.message).toContain('--role=tidemark-exec-hooks --serviceaccount=shop:mine');
    },
  );

  test('is told the same way where not even the pod may be looked at', async () => {
    const answer = api.answer;
    api.answer = (method, path, body) =>
      path.includes('/pods')
        ? { status: 403, body: { reason: 'Forbidden', message: 'no' } }
        : answer(method, path, body);
    expect((await run()).message).toContain('kubectl create rolebinding tidemark-exec-hooks');
  });

  test('ends with the agent that is told to stop', async () => {
    const stop = new AbortController();
    api.onExec = () => stop.abort(new Error('stopping'));
    await expect(run(undefined, { signal: stop.signal })).rejects.toThrow('stopping');
    api.onExec = (channels) => channels.say(3, success);
  });
});

describe('the container of a command', () => {
  const several = [container('metrics', 9187), container('db', 5432), container('tidemark-wal')];
  test.each([
    ['the one that the hook names', 'metrics', undefined, several, 'metrics'],
    ['the one that the policy names', undefined, 'tidemark-wal', several, 'tidemark-wal'],
    ['the one with the server’s port', undefined, undefined, several, 'db'],
    ['the only one', undefined, undefined, [container('pg')], 'pg'],
  ])('is %s', (_, asked, configured, containers, expected) => {
    const where = configured === undefined ? place : { ...place, container: configured };
    expect(containerOf(pod('p', containers), where, asked, 5432)).toBe(expected);
  });

  test('must be there', () => {
    expect(() => containerOf(pod('p', several), place, 'sidecar', 5432)).toThrow(
      /no container sidecar; it has metrics, db, tidemark-wal/,
    );
  });
});
