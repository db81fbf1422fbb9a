import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { useKubectl } from './kubectl.ts';
import { condition, policy, run, story } from './objects.ts';

const world = useKubectl();

describe('hold and release', () => {
  test('set spec.hold by server-side apply, of the object that was looked at', async () => {
    world.cluster.put(run('orders-base', '2026-11-15T00:15:00Z'));
    const { code, out } = await world.kubectl('hold orders-base');
    expect({ code, out }).toEqual({
      code: 0,
      out: 'orders-base is held: retention leaves it alone until kubectl tidemark release orders-base.\n',
    });
    expect(world.cluster.asked.at(-1)).toMatchObject({
      method: 'PATCH',
      path: '/apis/tidemark.dev/v1alpha1/namespaces/shop/backupruns/orders-base',
      query: { fieldManager: 'kubectl-tidemark-hold', force: 'true' },
      body: { metadata: { name: 'orders-base', uid: 'uid-of-orders-base' }, spec: { hold: true } },
    });
    expect(world.cluster.get('BackupRun', 'orders-base')).toMatchObject({ spec: { hold: true, method: 'Physical' } });
    await world.kubectl('release run/orders-base');
    expect(world.cluster.get('BackupRun', 'orders-base')).toMatchObject({ spec: { hold: false } });
  });

  test('--dry-run prints the YAML, and a backup that is gone cannot be held', async () => {
    world.cluster.put(run('orders-base', '2026-11-15T00:15:00Z', { status: { phase: 'Expired' } }));
    const { out } = await world.kubectl('release orders-base --dry-run');
    expect(parse(out)).toEqual({
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'BackupRun',
      metadata: { name: 'orders-base', namespace: 'shop' },
      spec: { hold: false },
    });
    expect((await world.kubectl('hold orders-base')).code).toBe(2);
    expect(world.cluster.changes()).toEqual([]);
  });
});

describe('cancel', () => {
  const running = () =>
    run('orders-base', '2026-11-21T10:00:00Z', { status: { phase: 'Running', completionTime: undefined } });

  test('sets spec.cancel, and waits until it has stopped', async () => {
    world.cluster.put(running());
    world.cluster.react = (changed) => [{ ...changed, status: { phase: 'Cancelled' } }];
    const { code, out } = await world.kubectl('cancel orders-base --wait');
    expect({ code, out }).toEqual({ code: 0, out: 'BackupRun orders-base is cancelled.\n' });
    expect(world.cluster.asked.find(({ method }) => method === 'PATCH')).toMatchObject({
      query: { fieldManager: 'kubectl-tidemark-cancel' },
      body: { spec: { cancel: true } },
    });
  });

  test('leaves what has ended as it is, and exits 1', async () => {
    world.cluster.put(run('orders-base', '2026-11-21T10:00:00Z'));
    const { code, out } = await world.kubectl('cancel orders-base');
    expect({ code, out }).toEqual({
      code: 1,
      out: 'BackupRun orders-base has ended already: Completed. Nothing is changed.\n',
    });
    expect(world.cluster.changes()).toEqual([]);
  });

  test('asks which one is meant where a name is several things', async () => {
    const both = running();
    world.cluster.put(both, { ...both, kind: 'PitrRecovery' });
    const { code, err } = await world.kubectl('cancel orders-base');
    expect(code).toBe(2);
    expect(err).toContain('say which, backuprun/orders-base or pitrrecovery/orders-base');
    expect((await world.kubectl('cancel recovery/orders-base')).code).toBe(0);
    expect((await world.kubectl('cancel secret/orders-base')).code).toBe(2);
    expect((await world.kubectl('cancel nobody')).code).toBe(3);
  });
});

describe('runs', () => {
  test('lists backups, the newest first', async () => {
    const { policy: orders, runs } = story();
    world.cluster.put(orders, ...runs);
    const { code, out, err } = await world.kubectl('runs orders --limit 4');
    expect(code).toBe(0);
    expect(out).toBe(
      [
        'NAME               POLICY   METHOD     TYPE          PHASE       STARTED          TOOK     SIZE      STORED   VERIFIED   ERROR',
        'orders-dump-3      orders   Logical    Full          Cancelled   7 h 15 min ago   20 min   3.10 GB   593 MB   -          -',
        'orders-dump-2      orders   Logical    Full          Failed      2 d 7 h ago      20 min   3.10 GB   593 MB   -          pg_dump: <b>no</b>, "really"',
        'orders-increment   orders   Physical   Incremental   Completed   3 d 10 h ago     20 min   3.10 GB   593 MB   -          -',
        'orders-dump-1      orders   Logical    Full          Completed   5 d 7 h ago      20 min   3.10 GB   593 MB   -          -',
        '',
      ].join('\n'),
    );
    expect(err).toBe('4 older ones are not shown: --limit 0 shows all.\n');
  });

  test('chooses by phase and policy, and gives the objects whole', async () => {
    const { runs } = story();
    world.cluster.put(...runs, run('other', '2026-11-21T09:00:00Z', { spec: { policyRef: { name: 'customers' } } }));
    const { out } = await world.kubectl('runs --phase failed -o json');
    expect(JSON.parse(out)).toMatchObject({
      kind: 'List',
      items: [{ kind: 'BackupRun', metadata: { name: 'orders-dump-2' } }],
    });
    expect((await world.kubectl('runs customers')).out.split('\n')).toHaveLength(3);
    expect((await world.kubectl('runs nobody')).err).toBe('No backup of nobody is known in the namespace shop.\n');
  });

  test('a hook that failed is told beside a backup that is good', async () => {
    const conditions = [
      condition('HooksSucceeded', 'False', 'HookFailed', 'postBackup[0] failed: POST to hc answered 500.'),
    ];
    world.cluster.put(run('x', '2026-11-21T09:00:00Z', { status: { phase: 'Completed', error: '', conditions } }));
    expect((await world.kubectl('runs')).out).toMatch(/Completed .*postBackup\[0\] failed: POST to hc answered 500\./);
  });

  test('what a server says cannot move the cursor of who reads it', async () => {
    const error = 'bad \u001b[2J\u001b]0;title\u0007 \u202egnp.exe\nand more';
    world.cluster.put(run('x', '2026-11-21T09:00:00Z', { status: { phase: 'Failed', error } }));
    const { out } = await world.kubectl('runs');
    expect(out).toContain('bad \ufffd[2J\ufffd]0;title\ufffd \ufffdgnp.exe and more');
  });
});

describe('status', () => {
  test('shows every policy in a line', async () => {
    world.cluster.put(
      policy(),
      policy({ suspend: true }, { conditions: [], restorable: undefined, lastSuccessfulRun: {} }, 'b'),
    );
    const { out } = await world.kubectl('status');
    expect(out).toBe(
      [
        'POLICY   READY     REASON      LAST BACKUP   LAST FAILURE   NEXT        RESTORABLE                  ARCHIVING   VERIFIED',
        'orders   True      Scheduled   6 d 9 h ago   -              in 14 h     13 d 9 h ago to 1 min ago   -           -',
        'b        Unknown   -           -             -              suspended   -                           -           -',
        '',
      ].join('\n'),
    );
  });

  test('shows one policy whole: what holds, what does not, and its newest runs', async () => {
    const conditions = [
      condition('Ready', 'True', 'Scheduled', 'Backups are scheduled'),
      condition('ContinuousArchiving', 'False', 'ArchiveFailing', 'The bucket\nis gone'),
      condition('Verified', 'Unknown', 'NoBackupYet', 'Nothing to verify'),
    ];
    world.cluster.put(policy({}, { conditions }), run('orders-base-2', '2026-11-15T00:15:00Z'));
    const { out } = await world.kubectl('status orders');
    expect(out.split('\n').slice(0, 15)).toEqual([
      'Policy:           shop/orders',
      'Source:           StatefulSet orders-db',
      'Server:           PostgreSQL 17.11, timeline 2',
      'Repositories:     offsite',
      'Last backup:      2026-11-15 01:20:00 +01:00 (6 d 9 h ago)',
      'Next backup:      2026-11-22 01:15:00 +01:00 (in 14 h)',
      'Restorable from:  2026-11-08 01:20:00 +01:00 (13 d 9 h ago)',
      'Restorable to:    2026-11-21 11:14:00 +01:00 (1 min ago)',
      'WAL:              Archive, archived up to 000000020000000000000091, 1.05 MB behind, 0 waiting',
      '',
      'ok Ready: True (Scheduled). Backups are scheduled',
      '! ContinuousArchiving: False (ArchiveFailing). The bucket is gone',
      '? Verified: Unknown (NoBackupYet). Nothing to verify',
      '',
      'NAME            POLICY   METHOD     TYPE   PHASE       STARTED        TOOK     SIZE      STORED   VERIFIED   ERROR',
    ]);
  });

  test('a cluster without Tidemark is told as that', async () => {
    world.cluster.refuse = () => ({
      code: 404,
      reason: 'NotFound',
      message: 'the server could not find the requested resource',
    });
    const { code, err } = await world.kubectl('status');
    expect({ code, err }).toEqual({
      code: 3,
      err: 'Error: Tidemark is not installed in this cluster, or in a version without this kind: see docs/install.md.\n',
    });
  });
});

describe('logs', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'orders-base-abcde', namespace: 'shop', creationTimestamp: '2026-11-15T00:15:00Z' },
    spec: { initContainers: [{ name: 'lay' }], containers: [{ name: 'agent' }] },
  };

  test("of a policy's newest run, container by container, readable", async () => {
    world.cluster.put(
      policy(),
      run('orders-base', '2026-11-15T00:15:00Z', { status: { jobName: 'orders-base' } }),
      pod,
    );
    const line = {
      level: 'warn',
      time: '2026-11-15T00:15:01.000Z',
      program: 'agent',
      job: 'j',
      msg: 'slow',
      bytes: 5,
      file: 'a b',
    };
    world.cluster.logs.set('orders-base-abcde/agent', `${JSON.stringify(line)}\nplain \u001b[2J text\n`);
    const { code, out, err } = await world.kubectl('logs orders');
    expect(code).toBe(0);
    expect(out).toBe('2026-11-15T00:15:01.000Z WARN slow bytes=5 file=a b\nplain \ufffd[2J text\n');
    expect(err.split('\n')).toEqual([
      'The newest run of orders is orders-base.',
      '--- pod orders-base-abcde, container lay',
      expect.stringContaining('the container is waiting to start'),
      '--- pod orders-base-abcde, container agent',
      '',
    ]);
    const asked = world.cluster.asked.filter(({ path }) => path.endsWith('/pods'));
    expect(asked.map(({ query }) => query['labelSelector'])).toEqual([
      'batch.kubernetes.io/job-name=orders-base',
      'tidemark.dev/run=orders-base,tidemark.dev/action=hooks',
    ]);
    expect((await world.kubectl('logs run/orders-base --raw')).out).toContain('"msg":"slow"');
  });

  test('where the pods are gone, the last word is told', async () => {
    world.cluster.put(run('orders-base', '2026-11-15T00:15:00Z', { status: { phase: 'Failed', error: 'No room.' } }));
    const { code, err } = await world.kubectl('logs orders-base');
    expect({ code, err }).toEqual({
      code: 3,
      err: 'Error: BackupRun orders-base (Failed) has no pod any more, or none yet; its last word: No room.\n',
    });
  });
});
