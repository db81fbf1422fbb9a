import { describe, expect, test } from 'vitest';
import type { CatalogueStatus } from '../../../../src/api/catalogue.ts';
import { decideSync, type GatheredSync } from '../../../../src/controllers/catalogue/decide.ts';
import { placeOf } from '../../../../src/domain/catalogue/place.ts';
import { type SyncTask, task as taskSchema } from '../../../../src/domain/task.ts';
import type { Desired } from '../../../../src/kube/objects.ts';
import { agent, condition, ended, foundJob, now, policy, repository, run } from '../objects.ts';

const place = placeOf(repository().spec);
const minutesAgo = (minutes: number) => new Date(now.getTime() - minutes * 60_000).toISOString();

function synced(minutes: number, change: CatalogueStatus = {}): CatalogueStatus {
  const time = minutesAgo(minutes);
  return {
    startTime: time,
    completionTime: time,
    deepTime: time,
    knownUntil: time,
    place,
    generation: 1,
    report: { outcome: 'Succeeded', reason: 'Synced', message: 'so it is', completionTime: time },
    ...change,
  };
}

const failedReport = (minutes: number) => ({
  outcome: 'Failed' as const,
  reason: 'RepositoryEmpty',
  message: 'it is empty.',
  completionTime: minutesAgo(minutes),
});

interface Parts extends Partial<GatheredSync> {
  readonly catalogue?: CatalogueStatus;
  readonly asked?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
}

function decided({ catalogue, asked, spec, ...parts }: Parts = {}) {
  return decideSync({
    repository: repository({
      ...(spec === undefined ? {} : { spec }),
      ...(asked === undefined ? {} : { metadata: { annotations: { 'tidemark.dev/sync': asked } } }),
      ...(catalogue === undefined ? {} : { status: { catalogue } }),
    }),
    isReady: true,
    job: undefined,
    runs: [],
    policies: [],
    agent,
    now,
    ...parts,
  });
}

function taskOf(job: Desired | undefined): SyncTask {
  const { template } = (job?.['spec'] ?? {}) as {
    template?: { spec: { containers: { env: { name: string; value?: string }[] }[] } };
  };
  const text = template?.spec.containers[0]?.env.find(({ name }) => name === 'TIDEMARK_TASK')?.value;
  const task = taskSchema.parse(JSON.parse(text ?? 'null'));
  if (task.action !== 'sync-catalogue') throw new Error(`an unexpected task: ${task.action}`);
  return task;
}

const held = (hold: boolean, told: boolean) =>
  run({ spec: { hold }, status: { repositories: [{ name: 'store', state: 'Stored', path: 'p', held: told }] } });

describe('the catalogue is read', () => {
  test.each<[string, Parts, boolean]>([
    ['when the repository has become ready', {}, true],
    ['not before', { isReady: false }, false],
    ['not while it is being read', { job: foundJob('catalogue-store') }, false],
    ['not again within an hour', { catalogue: synced(59) }, false],
    ['again after an hour', { catalogue: synced(61) }, true],
    ['when a person asks', { catalogue: synced(1), asked: 'now' }, true],
    ['not twice for one request', { catalogue: synced(1, { requested: 'now' }), asked: 'now' }, false],
    ['of another place at once', { catalogue: synced(1, { place: 'another' }) }, true],
    ['when a hold was set', { catalogue: synced(1), runs: [held(true, false)] }, true],
    ['when a hold was taken back', { catalogue: synced(1), runs: [held(false, true)] }, true],
    ['not for a hold that was told', { catalogue: synced(1), runs: [held(true, true)] }, false],
    [
      'not for a hold where nothing may be written',
      {
        spec: { volume: { claimName: 'backups' }, accessMode: 'ReadOnly' },
        catalogue: synced(1),
        runs: [held(true, false)],
      },
      false,
    ],
    ['not at once after a failure', { catalogue: synced(61, { report: failedReport(9) }) }, false],
    ['again ten minutes after a failure', { catalogue: synced(61, { report: failedReport(11) }) }, true],
    ['at once after a failure with another spec', { catalogue: { generation: 0, report: failedReport(1) } }, true],
    [
      'after a failure when a person asks',
      { catalogue: synced(61, { report: failedReport(1) }), asked: 'empty 1' },
      true,
    ],
  ])('%s', (_, parts, reads) => {
    const decision = decided(parts);
    expect(decision.create !== undefined).toBe(reads);
  });

  test('after the Job that ended, whose name is the only one, has made room', () => {
    const job = foundJob('catalogue-store', { finished: { ...ended('Complete'), time: minutesAgo(61) } });
    const decision = decided({ catalogue: synced(61), job });
    expect(decision).toMatchObject({ create: undefined, removeJob: true, lookAgainMilliseconds: 2_000 });
  });

  test('and a Job that reads another place is ended', () => {
    const { job, ...found } = foundJob('catalogue-store');
    const annotated = {
      ...job,
      metadata: { ...job.metadata, annotations: { 'tidemark.dev/repository-place': 'other' } },
    };
    expect(decided({ job: { ...found, job: annotated } })).toMatchObject({ removeJob: true, create: undefined });
  });
});

describe('what the agent is told', () => {
  test('this namespace alone, unless others are named', () => {
    expect(taskOf(decided().create)).toMatchObject({
      namespaces: ['shop'],
      depth: 'Deep',
      scope: 'New',
      mayBeEmpty: false,
    });
    const spec = { volume: { claimName: 'backups' }, catalogue: { namespaces: ['prod', 'shop'] } };
    expect(taskOf(decided({ spec }).create).namespaces).toEqual(['prod', 'shop']);
  });

  test('the history limits of the policies, and what is known already', () => {
    const task = taskOf(decided({ policies: [policy()], catalogue: synced(61) }).create);
    expect(task.limits).toEqual([{ policy: 'orders', succeeded: 50 }]);
    expect(task.previous).toMatchObject({ knownUntil: minutesAgo(61), place });
    expect(task.previous?.report).toBeUndefined();
  });

  test.each<[string, CatalogueStatus, string | undefined, string]>([
    ['few objects', { objects: 20_000 }, undefined, 'Deep'],
    ['many', { objects: 20_001 }, undefined, 'Shallow'],
    ['many, for a person', { objects: 20_001 }, 'now', 'Deep'],
    ['many, a day ago', { objects: 20_001, deepTime: minutesAgo(1441) }, undefined, 'Deep'],
  ])('how deep to look: %s', (_, change, asked, depth) => {
    const parts = { catalogue: synced(61, change), ...(asked === undefined ? {} : { asked }) };
    expect(taskOf(decided(parts).create).depth).toBe(depth);
  });

  test.each([
    ['now', 'New', false],
    ['all 1763', 'All', false],
    ['empty 1763', 'New', true],
    ['allow', 'New', false],
  ])('what a person asks for: %s', (asked, scope, mayBeEmpty) => {
    expect(taskOf(decided({ asked }).create)).toMatchObject({ scope, mayBeEmpty, requested: asked });
  });

  test('a request is for one sync', () => {
    expect(taskOf(decided({ asked: 'all 1', catalogue: synced(61, { requested: 'all 1' }) }).create).scope).toBe('New');
  });

  test('nothing that decrypts', () => {
    const identitySecretRef = { name: 'key', key: 'identity.txt' };
    const age = { recipients: [`age1${'q'.repeat(58)}`], identitySecretRef };
    const spec = { volume: { claimName: 'backups' }, encryption: { age } };
    expect(JSON.stringify(decided({ spec }).create)).not.toContain('identity.txt');
  });
});

describe('CatalogueSynced', () => {
  test.each<[string, Parts, string, string]>([
    ['before the first sync', {}, 'Unknown', 'Syncing'],
    ['after one', { catalogue: synced(1) }, 'True', 'Synced'],
    ['with unknown things', { catalogue: synced(1, { unknown: 2 }) }, 'True', 'UnknownObjects'],
    ['after one that failed', { catalogue: synced(61, { report: failedReport(1) }) }, 'False', 'RepositoryEmpty'],
    [
      'after a Job that ended in silence',
      { job: foundJob('c', { finished: { ...ended('Failed'), time: minutesAgo(1) } }) },
      'False',
      'SyncJobFailed',
    ],
  ])('%s', (_, parts, status, reason) => {
    expect(decided(parts).condition).toMatchObject({ status, reason });
  });

  test('stays as it was while the next Job runs', () => {
    const decision = decideSync({
      repository: repository({
        status: { catalogue: synced(61), conditions: [condition('CatalogueSynced', 'False', 'RepositoryEmpty')] },
      }),
      isReady: true,
      job: foundJob('catalogue-store'),
      runs: [],
      policies: [],
      agent,
      now,
    });
    expect(decision).toMatchObject({ condition: { status: 'False', reason: 'RepositoryEmpty' }, events: [] });
  });

  test.each<[string, CatalogueStatus, string]>([
    ['lost backups', { lost: 2 }, 'BackupsLost'],
    ['unknown things', { unknown: 1 }, 'UnknownObjects'],
  ])('%s are a Warning, once', (_, change, reason) => {
    const catalogue = synced(1, change);
    expect(decided({ catalogue }).events).toMatchObject([{ type: 'Warning', reason, note: 'so it is' }]);
    const told = repository({
      status: { catalogue, conditions: [condition('CatalogueSynced', 'True', 'Synced', 'so it is')] },
    });
    expect(decided({ repository: told }).events).toEqual([]);
  });
});

describe('a place', () => {
  test.each<[string, object, boolean]>([
    ['other credentials', { credentialsSecretRef: { name: 'other' } }, true],
    ['another storage class', { storageClass: 'GLACIER_IR' }, true],
    ['another prefix', { prefix: 'dr' }, false],
    ['another bucket', { bucket: 'others' }, false],
  ])('%s', (_, change, same) => {
    const of = (s3: object) => placeOf(repository({ spec: { s3: { bucket: 'backups', ...s3 } } }).spec);
    expect(of(change) === of({})).toBe(same);
  });

  test('with other namespaces is another catalogue', () => {
    const of = (more: object) => placeOf(repository({ spec: { volume: { claimName: 'b' }, ...more } }).spec);
    expect(of({ catalogue: { namespaces: ['prod'] } })).not.toBe(of({}));
    expect(of({ accessMode: 'ReadOnly' })).toBe(of({}));
  });
});
