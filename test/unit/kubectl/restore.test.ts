import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { restoreRequestSpec } from '../../../src/api/restore-request.ts';
import { useKubectl } from './kubectl.ts';
import { policy, repository, run } from './objects.ts';

const world = useKubectl();
const path = '/apis/tidemark.dev/v1alpha1/namespaces/shop/restorerequests';
const dump = () => run('orders-dump', '2026-11-20T03:00:00Z', { spec: { method: 'Logical' } });

async function specOf(line: string): Promise<unknown> {
  const { code, out, err } = await world.kubectl(`${line} --dry-run`);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const { spec } = parse(out) as { spec: unknown };
  expect(restoreRequestSpec.safeParse(spec).error).toBeUndefined();
  return spec;
}

describe('restore', () => {
  test('plans, asks, and restores into the server that was backed up', async () => {
    world.cluster.put(policy(), dump());
    world.cluster.react = (made) => [
      {
        ...made,
        status: {
          phase: 'Completed',
          plan: [{ step: 'create database orders_old' }, { step: 'pg_restore --table=public.orders' }],
          backupID: '20261120T030000Z-logical',
          startTime: '2026-11-21T10:00:00Z',
          completionTime: '2026-11-21T10:00:09Z',
          restored: { databases: 1, objects: 12, errors: 0 },
        },
      },
    ];
    const line = 'restore orders-dump --database orders=orders_old --table public.orders';
    const { code, out, err } = await world.kubectl(line, { answer: true });
    expect(code).toBe(0);
    expect(err).toContain(
      [
        'From: backup 20261120T030000Z-physical-full of 2026-11-20T03:20:00Z (Logical).',
        'Into: StatefulSet orders-db, which goes on running.',
        'The plan:',
        '  1. create database orders_old',
        '  2. pg_restore --table=public.orders',
      ].join('\n'),
    );
    expect(out).toBe('orders-restore-x7k2p: restored from 20261120T030000Z-logical in 9 s. 1 database, 12 objects\n');
    expect(world.cluster.changes()).toEqual([
      `POST ${path}`,
      `DELETE ${path}/orders-restore-x7k2p-plan`,
      `POST ${path}`,
    ]);
    expect(world.cluster.get('RestoreRequest', 'orders-restore-x7k2p')).toMatchObject({
      spec: {
        source: { backupRunRef: { name: 'orders-dump' } },
        target: {
          server: {
            workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
            port: 5432,
            database: 'postgres',
            credentialsSecretRef: { name: 'orders-db-backup' },
          },
        },
        databases: [{ name: 'orders', targetName: 'orders_old', tables: { include: ['public.orders'] } }],
      },
    });
  });

  test('says what it drops, before it asks', async () => {
    world.cluster.put(policy(), dump());
    world.cluster.react = (made) => [{ ...made, status: { phase: 'Completed', plan: [] } }];
    const { err, questions } = await world.kubectl('restore orders-dump --database orders --on-conflict replace', {
      answer: false,
    });
    expect(err).toContain('--on-conflict replace DROPS the databases that are named');
    expect(questions).toEqual(['Drop what is there, as planned?']);
  });

  test('takes the newest of a policy, another server, another role', async () => {
    world.cluster.put(policy());
    const line =
      'restore --latest orders --into deployment/copy --credentials admin --no-owner --no-privileges --role app --globals --jobs 4 --keep-going';
    expect(await specOf(line)).toEqual({
      source: { latest: { policyRef: { name: 'orders' }, method: 'Logical' } },
      target: {
        server: { workloadRef: { kind: 'Deployment', name: 'copy' }, credentialsSecretRef: { name: 'admin' } },
      },
      globals: 'Restore',
      jobs: 4,
      noOwner: true,
      noPrivileges: true,
      role: 'app',
      exitOnError: false,
    });
  });

  test('takes a backup of the repository into a new instance', async () => {
    world.cluster.put(repository());
    expect(
      await specOf(
        'restore --repository offsite --backup-id 20261120T030000Z-physical-full --instance copy --size 5Gi --image postgres:17',
      ),
    ).toEqual({
      source: { repository: { repositoryRef: { name: 'offsite' }, backupID: '20261120T030000Z-physical-full' } },
      target: { instance: { name: 'copy', storage: { size: '5Gi' }, image: 'postgres:17' } },
    });
  });

  test.each([
    ['restore', 'Say which backup'],
    ['restore orders-dump --latest orders', 'Say which backup'],
    ['restore --backup-id 20261120T030000Z-logical', 'go together'],
    ['restore orders-dump --table t', 'exactly one --database'],
    ['restore orders-dump --on-conflict clean', 'need --database'],
    ['restore orders-dump --into db.example.com --yes', 'Say --credentials'],
    ['restore orders-dump --into a/b --yes', 'no workload'],
    ['restore orders-dump --database =x --yes', 'names no two databases'],
    ['restore orders-dump --assert x --yes', 'no assertion'],
    ['restore orders-dump --database orders --on-conflict replace --table t --yes', 'Replace drops the whole database'],
  ])('%s is refused before anything is sent', async (line, words) => {
    world.cluster.put(policy(), dump());
    const { code, err } = await world.kubectl(line, { answer: true });
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(words) });
    expect(world.cluster.changes()).toEqual([]);
  });
});
