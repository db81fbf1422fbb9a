import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { knownRun } from '../../../../src/agent/catalogue/list-runs.ts';
import { backupPolicySpec } from '../../../../src/api/backup-policy.ts';
import { jobTemplate } from '../../../../src/api/job-template.ts';
import { kinds } from '../../../../src/api/kinds.ts';
import { backupTask } from '../../../../src/controllers/backup-task.ts';
import { buildJob } from '../../../../src/controllers/jobs/build-job.ts';
import { viewJob } from '../../../../src/controllers/jobs/view-job.ts';
import { parseSpec } from '../../../../src/controllers/parse-spec.ts';
import { isRefusal } from '../../../../src/controllers/refusal.ts';
import { durationOf } from '../../../../src/domain/retention/window.ts';
import { isTimeZone, nextFiring } from '../../../../src/domain/schedule.ts';
import { errorOf, isAlreadyExists, isNamespaceTerminating, isNotFound } from '../../../../src/kube/api-error.ts';
import { readLines } from '../../../../src/kube/read-lines.ts';
import { job, pod, policy, repository } from '../../../unit/controllers/objects.ts';
import { corpus, corpusRoot, refuse, type Target } from '../target.ts';
import { pieces } from './dumps.ts';

const samples = join(corpusRoot, '../../../..', 'manifests/samples');
const examples = join(corpusRoot, '../../../..', 'test/unit/api/manifests');
const names: Readonly<Record<string, string>> = {
  BackupRepository: 'backup-repository',
  BackupPolicy: 'backup-policy',
  BackupRun: 'backup-run',
  RestoreRequest: 'restore-request',
  PitrRecovery: 'pitr-recovery',
};

/** What the docs and the tests show of a kind: each spec is one of the corpus. */
function specsOf(kind: string): readonly Buffer[] {
  const shown = readdirSync(samples).filter((name) => name.endsWith('.yaml'));
  const files = [join(examples, `${names[kind]}.yaml`), ...shown.map((name) => join(samples, name))];
  const objects = files.flatMap((file) => parseAllDocuments(readFileSync(file, 'utf8')).map((each) => each.toJS()));
  const own = objects.filter((object) => object?.kind === kind).map(({ spec }) => Buffer.from(JSON.stringify(spec)));
  if (own.length === 0) throw new Error(`no example of ${kind}`);
  return own;
}

const agent = { image: 'agent:1', imagePullPolicy: 'IfNotPresent', imagePullSecrets: [] } as const;

/** Neither is ever a crash: data, or what is wrong with it. */
const specTargets: readonly Target[] = kinds.map(({ kind, spec }) => ({
  name: `spec of a ${kind}`,
  covers: ['parseSpec', 'backupTask', 'buildJob'],
  share: 5,
  corpus: specsOf(kind),
  mutates: 'json',
  run(input) {
    const value = parsed(input);
    const read = parseSpec(spec, value, kind);
    if (isRefusal(read)) return read.message;
    refuse(!parses(spec, JSON.parse(JSON.stringify(read.spec))), 'what was taken is not taken again');
    if (kind === 'BackupPolicy') return jobOf(value);
    return undefined;
  },
}));

function jobOf(value: unknown): unknown {
  const spec = backupPolicySpec.parse(value);
  for (const { cron, timeZone } of spec.schedules)
    if (isTimeZone(timeZone)) safely(() => nextFiring(cron, timeZone, new Date()));
  if (spec.retention?.recoveryWindow !== undefined) durationOf(spec.retention.recoveryWindow);
  const task = backupTask({
    policy: { ...policy(), spec },
    repositories: [repository()],
    hosts: ['db'],
    method: 'Logical',
  });
  return isRefusal(task) ? task : buildJob({ task, template: spec.jobTemplate, agent, labels: {} });
}

const statusTargets: readonly Target[] = kinds.map(({ kind, status }) => ({
  name: `status of a ${kind}`,
  covers: ['knownRun', 'viewJob'],
  share: 3,
  corpus: corpus('statuses'),
  mutates: 'json',
  run(input) {
    const read = status.safeParse(parsed(input));
    if (read.success && kind === 'BackupRun')
      knownRun({
        apiVersion: 'v',
        kind,
        metadata: job('x').metadata,
        spec: { hold: false },
        status: read.data,
      } as never);
    const message = input.toString('utf8');
    const terminated = { exitCode: 1, reason: 'Error', message };
    viewJob(job('x'), [pod('p', { status: { containerStatuses: [{ name: 'agent', state: { terminated } }] } })]);
  },
}));

export const objectTargets: readonly Target[] = [
  ...specTargets,
  ...statusTargets,
  {
    name: 'template of a Job',
    covers: ['buildJob'],
    share: 3,
    corpus: corpus('job-templates'),
    mutates: 'json',
    run(input) {
      const read = jobTemplate.safeParse(parsed(input));
      if (!read.success) return z.prettifyError(read.error);
      return jobOf({
        source: { host: 'db', credentialsSecretRef: { name: 'db' } },
        repositoryRefs: [{ name: 'store' }],
        jobTemplate: read.data,
      });
    },
  },
  {
    name: 'answer of the API server',
    covers: ['errorOf', 'isNotFound', 'isAlreadyExists', 'isNamespaceTerminating', 'readLines'],
    share: 3,
    corpus: corpus('api-errors'),
    mutates: 'json',
    async run(input) {
      const error = errorOf({ status: 403, body: input.toString('utf8'), what: 'GET /x' });
      isNotFound(error);
      isAlreadyExists(error);
      isNamespaceTerminating(error);
      for await (const line of readLines(pieces(input))) refuse(line.includes('\n'), 'a line with a break');
    },
  },
];

function parsed(input: Buffer): unknown {
  try {
    return JSON.parse(input.toString('utf8'));
  } catch {
    return input.toString('utf8');
  }
}

function parses(schema: z.ZodType, value: unknown): boolean {
  return schema.safeParse(value).success;
}

/** It says in words of its own what is wrong with a cron. */
function safely(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Error) || !/cannot be read|no time zone/.test(error.message)) throw error;
  }
}
