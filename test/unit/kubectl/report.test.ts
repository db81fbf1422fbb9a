import { expect, test } from 'vitest';
import { useKubectl } from './kubectl.ts';
import { policy, run, story } from './objects.ts';

const world = useKubectl();

function putStory(): void {
  const { policy: orders, runs } = story();
  world.cluster.put(orders, ...runs);
}

test('report says size, duration, ratio, status, error and the next run, over a period', async () => {
  putStory();
  const { code, out } = await world.kubectl('report orders --since 7d');
  expect(code).toBe(0);
  expect(out).toBe(
    [
      'Backups from 2026-11-14 11:15:00 +01:00 to 2026-11-21 11:15:00 +01:00',
      '',
      'POLICY        RUNS   COMPLETE   FAILED   STORED    LONGEST   LAST SUCCESS                 NEXT RUN                     LAST ERROR',
      'shop/orders   5      3          1        1.78 GB   20 min    2026-11-18 01:35:00 +01:00   2026-11-22 01:15:00 +01:00   pg_dump: <b>no</b>, "really"',
      '',
      'STARTED                      POLICY        RUN                METHOD     TYPE          STATUS      TOOK     SIZE      STORED   RATIO   ERROR',
      '2026-11-21 04:00:00 +01:00   shop/orders   orders-dump-3      Logical    Full          Cancelled   20 min   3.10 GB   593 MB   5.22    -',
      '2026-11-19 04:00:00 +01:00   shop/orders   orders-dump-2      Logical    Full          Failed      20 min   3.10 GB   593 MB   5.22    pg_dump: <b>no</b>, "really"',
      '2026-11-18 01:15:00 +01:00   shop/orders   orders-increment   Physical   Incremental   Completed   20 min   3.10 GB   593 MB   5.22    -',
      '2026-11-16 04:00:00 +01:00   shop/orders   orders-dump-1      Logical    Full          Completed   20 min   3.10 GB   593 MB   5.22    -',
      '2026-11-15 01:15:00 +01:00   shop/orders   orders-base-2      Physical   Full          Completed   20 min   3.10 GB   593 MB   5.22    -',
      '',
    ].join('\n'),
  );
});

test('as CSV it has a header, a line for each backup, quotes, and no formula of a spreadsheet', async () => {
  putStory();
  world.cluster.put(
    run('evil', '2026-11-21T09:00:00Z', { status: { phase: 'Failed', error: '=cmd|"/c calc"!A1', size: undefined } }),
  );
  const { out } = await world.kubectl('report --since 3d -o csv');
  expect(out).toBe(
    [
      'namespace,policy,run,method,type,status,started,completed,duration_seconds,source_bytes,stored_bytes,compression_ratio,verified,backup_id,error,next_run',
      'shop,orders,evil,Physical,Full,Failed,2026-11-21T09:00:00Z,2026-11-21T09:20:00Z,1200,,,,,20261121T090000Z-physical-full,"\'=cmd|""/c calc""!A1",2026-11-22T00:15:00Z',
      'shop,orders,orders-dump-3,Logical,Full,Cancelled,2026-11-21T03:00:00Z,2026-11-21T03:20:00Z,1200,3101687808,593476488,5.22,,20261121T030000Z-physical-full,,2026-11-22T00:15:00Z',
      'shop,orders,orders-dump-2,Logical,Full,Failed,2026-11-19T03:00:00Z,2026-11-19T03:20:00Z,1200,3101687808,593476488,5.22,,20261119T030000Z-physical-full,"pg_dump: <b>no</b>, ""really""",2026-11-22T00:15:00Z',
      '',
    ].join('\r\n'),
  );
});

test('as JSON it has what is not known as absent, and never as zero', async () => {
  world.cluster.put(
    policy({ suspend: true }),
    run('x', '2026-11-21T09:00:00Z', { status: { phase: 'Running', completionTime: undefined, size: undefined } }),
  );
  const { policies, runs } = JSON.parse((await world.kubectl('report -o json')).out);
  expect(runs[0]).not.toHaveProperty('storedBytes');
  expect(runs[0]).not.toHaveProperty('seconds');
  expect(policies[0]).toMatchObject({ runs: 1, completed: 0, failed: 0, suspended: true });
  expect(policies[0]).not.toHaveProperty('nextRun');
  expect(policies[0]).not.toHaveProperty('longestSeconds');
});

test('as a page it has a row for each backup, whose cells say their names on a phone', async () => {
  putStory();
  const { out } = await world.kubectl('report --since 7d -o html');
  expect(out.match(/<tr>/g)).toHaveLength(8);
  expect(out).toContain('<td data-name="Status"><span class="bad">Failed</span></td>');
  expect(out).toContain('pg_dump: &lt;b&gt;no&lt;/b&gt;');
});

test('takes the policies of every namespace, and a period that has ended', async () => {
  putStory();
  const other = policy({}, {}, 'crm');
  const foreign = run('crm-base', '2026-11-15T00:15:00Z', { spec: { policyRef: { name: 'crm' } } });
  world.cluster.put(
    { ...other, metadata: { ...other.metadata, namespace: 'sales' } },
    { ...foreign, metadata: { ...foreign.metadata, namespace: 'sales' } },
  );
  const { out } = await world.kubectl(['report', '-A', '--since', '2026-11-15 00:00', '--until', '6d', '-o', 'json']);
  expect(
    JSON.parse(out).runs.map(({ namespace, run: name }: { namespace: string; run: string }) => `${namespace}/${name}`),
  ).toEqual(['shop/orders-base-2', 'sales/crm-base']);
  expect((await world.kubectl('report --since 1d --until 2d')).code).toBe(2);
  expect((await world.kubectl('report --since sometime')).code).toBe(2);
});
