import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { useKubectl } from './kubectl.ts';
import { policy, run } from './objects.ts';

const world = useKubectl();
const runsPath = '/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns';

describe('backup', () => {
  test('makes a BackupRun with the method of the schedules, and says how to watch it where nobody waits', async () => {
    world.cluster.put(policy());
    const { code, out, err } = await world.kubectl('backup orders');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe(
      'BackupRun orders-manual-x7k2p is created. To see how far it is: kubectl --namespace shop get backuprun orders-manual-x7k2p --watch\n',
    );
    const asked = world.cluster.asked.find(({ method }) => method === 'POST');
    expect(asked).toMatchObject({
      path: runsPath,
      query: { fieldManager: 'kubectl-tidemark' },
      body: {
        apiVersion: 'tidemark.dev/v1alpha1',
        kind: 'BackupRun',
        metadata: { name: 'orders-manual-x7k2p', namespace: 'shop' },
        spec: { policyRef: { name: 'orders' }, method: 'Physical', type: 'Full' },
      },
    });
  });

  test('--dry-run prints that YAML, and sends nothing', async () => {
    world.cluster.put(policy());
    const { code, out } = await world.kubectl('backup orders --method logical --hold --dry-run');
    expect(code).toBe(0);
    expect(out).toBe(
      [
        'apiVersion: tidemark.dev/v1alpha1',
        'kind: BackupRun',
        'metadata:',
        '  name: orders-manual-x7k2p',
        '  namespace: shop',
        'spec:',
        '  policyRef:',
        '    name: orders',
        '  method: Logical',
        '  type: Full',
        '  hold: true',
        '',
      ].join('\n'),
    );
    expect(world.cluster.changes()).toEqual([]);
  });

  test('waits on a terminal, shows how far it is, and says what came of it', async () => {
    world.cluster.put(policy());
    const half = {
      phase: 'Running',
      startTime: '2026-11-21T10:14:00Z',
      progress: { bytesDone: '500000000', bytesTotal: '1000000000', percent: 50, bytesPerSecond: '50000000' },
    };
    world.cluster.react = (made) => [
      { ...made, status: half },
      { ...made, status: run('x', '2026-11-21T10:00:00Z').status },
    ];
    const { code, out, live } = await world.kubectl('backup orders', { watched: true });
    expect(code).toBe(0);
    expect(out).toBe(
      'orders-manual-x7k2p: the Physical backup is complete in 20 min. 593 MB stored of 3.10 GB (ratio 5.22), offsite, 20261121T100000Z-physical-full.\n',
    );
    for (const line of live) expect(line).toContain('orders-manual-x7k2p');
  });

  test('exits 1 for a backup that fails, with what it says and where its logs are', async () => {
    world.cluster.put(policy());
    const failed = {
      phase: 'Failed',
      error: 'The bucket is gone.',
      conditions: [{ type: 'Succeeded', status: 'False', reason: 'BucketNotFound' }],
    };
    world.cluster.react = (made) => [{ ...made, status: failed }];
    const { code, out } = await world.kubectl('backup orders --wait');
    expect(code).toBe(1);
    expect(out).toBe(
      'BackupRun orders-manual-x7k2p: Failed (BucketNotFound). The bucket is gone.\nWhat it said on the way: kubectl tidemark logs --namespace shop backuprun/orders-manual-x7k2p\n',
    );
  });

  test('a wait goes on over a connection that breaks', async () => {
    world.cluster.put(policy());
    let broken = false;
    world.cluster.react = (made) => {
      setTimeout(() => {
        world.cluster.breakWatches();
        broken = true;
        world.cluster.put({ ...made, status: run('x', '2026-11-21T10:00:00Z').status });
      }, 100);
      return [];
    };
    expect((await world.kubectl('backup orders --wait')).code).toBe(0);
    expect(broken).toBe(true);
  });

  test('whoever may not watch still waits; a run that is deleted meanwhile ends it', async () => {
    world.cluster.put(policy());
    world.cluster.refuse = ({ query }) =>
      query['watch'] === 'true' ? { code: 403, reason: 'Forbidden', message: 'may not watch' } : undefined;
    world.cluster.react = (made) => {
      setTimeout(() => world.cluster.put({ ...made, status: run('x', '2026-11-21T10:00:00Z').status }), 100);
      return [];
    };
    expect((await world.kubectl('backup orders --wait')).code).toBe(0);
    world.cluster.react = ({ metadata }) => {
      setTimeout(() => world.cluster.remove('BackupRun', metadata.name), 100);
      return [];
    };
    const { code, err } = await world.kubectl('backup orders --name another --wait');
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringContaining('another was deleted while it was waited for'),
    });
  });

  test('--timeout ends the waiting with 6, Ctrl-C with 130; the backup goes on', async () => {
    world.cluster.put(policy());
    const late = await world.kubectl('backup orders --wait --timeout 1s');
    expect(late.code).toBe(6);
    expect(late.err).toContain(
      'BackupRun orders-manual-x7k2p goes on in the cluster. To stop it: kubectl tidemark cancel',
    );
    const stop = new AbortController();
    world.cluster.react = () => {
      setTimeout(() => stop.abort(new Error('stopped by SIGINT')), 50);
      return [];
    };
    const { code } = await world.kubectl('backup orders --name another --wait', { signal: stop.signal });
    expect(code).toBe(130);
    expect(world.cluster.changes()).toEqual([`POST ${runsPath}`, `POST ${runsPath}`]);
  });

  test('-o yaml gives the object alone', async () => {
    world.cluster.put(policy());
    const { out } = await world.kubectl('backup orders -o yaml');
    expect(parse(out)).toMatchObject({ kind: 'BackupRun', metadata: { name: 'orders-manual-x7k2p' } });
  });

  test.each([
    ['backup', 2, "missing required argument 'policy'"],
    ['backup orders --method nonsense', 2, '"nonsense" is none of Physical, Logical.'],
    ['backup orders --nonsense', 2, "unknown option '--nonsense'"],
    ['backup ordres', 3, 'There is no BackupPolicy ordres in the namespace shop. There are: orders.'],
    ['backup orders -n ../x', 2, 'cannot be the name of a namespace'],
    ['backup ../secrets', 2, 'cannot be the name of an object'],
  ])('%s: exits %i and says why', async (line, code, words) => {
    world.cluster.put(policy());
    const ran = await world.kubectl(line);
    expect(ran.code).toBe(code);
    expect(ran.err).toContain(words);
    expect(world.cluster.changes()).toEqual([]);
  });

  test('asks which method where the schedules have both', async () => {
    const both = ['Physical', 'Logical'].map((method) => ({ name: method.toLowerCase(), cron: '0 3 * * *', method }));
    world.cluster.put(policy({ schedules: both }));
    const { code, err } = await world.kubectl('backup orders');
    expect(code).toBe(2);
    expect(err).toContain('say --method physical or --method logical');
  });

  test('tells a missing right from an invalid object and from an API server that is away', async () => {
    world.cluster.put(policy());
    world.cluster.refuse = ({ method }) =>
      method === 'POST' ? { code: 403, reason: 'Forbidden', message: 'may not create' } : undefined;
    expect(await world.kubectl('backup orders')).toMatchObject({
      code: 3,
      err: 'Error: You lack a right, or the cluster forbids it: may not create\n',
    });
    world.cluster.refuse = ({ method }) => (method === 'POST' ? 'reset' : undefined);
    const lost = await world.kubectl('backup orders');
    expect(lost.code).toBe(4);
    expect(lost.err).toContain(
      'It may have been made nevertheless; look before you try again: kubectl --namespace shop get',
    );
    await world.cluster.close();
    expect((await world.kubectl('backup orders')).code).toBe(4);
  });
});
