import type { Command } from 'commander';
import { type BackupPolicy, restoreRequest } from '../../api/kinds.ts';
import { duration, secondsBetween } from '../../domain/display/quantities.ts';
import { usage } from '../exit-code.ts';
import { find, freshName, get, type Kinds, manifest } from '../objects.ts';
import { choice, collect, making, type Run, subcommand, wholeNumber } from '../options.ts';
import { type PlanOptions, planFirst } from '../plan-first.ts';
import { type PlaceOptions, placeOf } from '../recovery-place.ts';
import type { Session } from '../session.ts';
import { oneLine } from '../terminal.ts';
import { parseAssertion, parseDatabase, parseServer } from '../workload-argument.ts';

interface Options extends PlanOptions, PlaceOptions {
  readonly latest?: string;
  readonly method: 'Physical' | 'Logical';
  readonly repository?: string;
  readonly backupId?: string;
  readonly into?: string;
  readonly credentials?: string;
  readonly database?: readonly string[];
  readonly schema?: readonly string[];
  readonly table?: readonly string[];
  readonly excludeTable?: readonly string[];
  readonly content?: string;
  readonly onConflict?: 'Fail' | 'Clean' | 'Replace';
  readonly create?: boolean;
  readonly globals?: boolean;
  readonly jobs?: number;
  readonly owner?: boolean;
  readonly privileges?: boolean;
  readonly role?: string;
  readonly keepGoing?: boolean;
  readonly assert?: readonly string[];
}

export function addRestore(program: Command, run: Run): void {
  const command = making(subcommand(program, 'restore [run]', 'bring back what one backup holds'))
    .option('--yes', 'do it without asking back')
    .option('--plan', 'show the plan, and do nothing')
    .option('--latest <policy>', "the policy's newest backup, instead of naming a run")
    .option(
      '--method <method>',
      'with --latest: logical (default) or physical',
      choice(['Logical', 'Physical']),
      'Logical',
    )
    .option('--repository <name>', 'with --backup-id: a backup of which this cluster has no BackupRun')
    .option('--backup-id <id>', 'with --repository');
  command
    .option('--into <server>', 'statefulset/orders-db, or host[:port]; default: the server that was backed up')
    .option('--credentials <secret>', "the Secret with the role to write as; default: the policy's")
    .option('--instance <name>', 'make a new server of this name')
    .option('--size <quantity>', "of the new server's volume; default: the source's")
    .option('--storage-class <name>', "of the new server's volume")
    .option('--image <image>', "of the new server; default: the source's")
    .option('--in-place [workload]', 'replace the data of this workload by a physical backup')
    .option('--confirm <name>', 'with --in-place: the name of the workload, once more')
    .option('--drop-old-data', 'with --in-place: do not keep the old data directory')
    .option('--ephemeral', 'restore, ask the assertions, and remove it again');
  whatOptions(command).action(
    run((session, name: string | undefined, { plan, ...options }: Options & { plan?: boolean }) =>
      restore(session, name, { ...options, ...(plan === true ? { planOnly: true } : {}) }),
    ),
  );
}

function whatOptions(command: Command): Command {
  return command
    .option('--database <name[=new name]>', 'only this database; may be given several times', collect)
    .option('--schema <pattern>', 'with one --database: only this schema', collect)
    .option('--table <pattern>', 'with one --database: only this table', collect)
    .option('--exclude-table <pattern>', 'with one --database: not this table', collect)
    .option('--content <content>', 'all (default), schema-only or data-only', choice(['All', 'SchemaOnly', 'DataOnly']))
    .option('--on-conflict <what>', 'fail (default), clean or replace', choice(['Fail', 'Clean', 'Replace']))
    .option('--no-create', 'the database is there already')
    .option('--globals', 'roles and tablespaces too')
    .option('--jobs <number>', 'so many at once', wholeNumber)
    .option('--no-owner', 'everything belongs to the role that restores')
    .option('--no-privileges', 'without GRANTs')
    .option('--role <name>', 'SET ROLE first')
    .option('--keep-going', 'count errors instead of stopping at the first')
    .option('--assert <database|query|expected>', 'a question the restored server must answer so', collect);
}

export async function restore(session: Session, runName: string | undefined, options: Options): Promise<number> {
  const { source, policy, what } = await sourceOf(session, runName, options);
  const place = await placeOf(session, options, policy);
  const target = place ?? { server: serverOf(options, policy) };
  const databases = databasesOf(options);
  const spec = {
    source,
    target,
    ...(databases.length === 0 ? {} : { databases }),
    ...(options.globals === true ? { globals: 'Restore' } : {}),
    ...(options.jobs === undefined ? {} : { jobs: options.jobs }),
    ...(options.owner === false ? { noOwner: true } : {}),
    ...(options.privileges === false ? { noPrivileges: true } : {}),
    ...(options.role === undefined ? {} : { role: options.role }),
    ...(options.keepGoing === true ? { exitOnError: false } : {}),
    ...(options.assert === undefined ? {} : { assertions: options.assert.map(parseAssertion) }),
  };
  const beginning = policy === undefined ? 'restore' : `${policy.metadata.name}-restore`;
  const name = options.name ?? freshName(session, beginning, restoreRequest.nameLength);
  return await planFirst(session, manifest('RestoreRequest', name, session.namespace, spec), options, {
    intent: [`From: ${what}.`, describeTarget(target), ...warnings(options), 'The plan:'],
    question:
      options.onConflict === 'Clean' || options.onConflict === 'Replace' ? 'Drop what is there, as planned?' : 'Do it?',
    summary: describeRestore,
  });
}

interface Source {
  readonly source: object;
  readonly policy: BackupPolicy | undefined;
  readonly what: string;
}

async function sourceOf(session: Session, runName: string | undefined, options: Options): Promise<Source> {
  const { latest, method, repository, backupId } = options;
  if ([runName, latest, backupId].filter((each) => each !== undefined).length !== 1)
    throw usage('Say which backup: the name of a run, --latest POLICY, or --repository with --backup-id.');
  if ((repository === undefined) !== (backupId === undefined)) throw usage('--repository and --backup-id go together.');
  if (latest !== undefined) {
    const policy = await get(session, 'BackupPolicy', latest);
    return {
      source: { latest: { policyRef: { name: latest }, method } },
      policy,
      what: `the newest ${method} backup of ${latest}`,
    };
  }
  if (runName === undefined) {
    await get(session, 'BackupRepository', repository ?? '');
    const source = { repository: { repositoryRef: { name: repository }, backupID: backupId } };
    return { source, policy: undefined, what: `backup ${backupId} in repository ${repository}` };
  }
  const run = await get(session, 'BackupRun', runName);
  const policy = await find(session, 'BackupPolicy', run.spec.policyRef.name);
  const { backupID = 'which has no ID yet', completionTime } = run.status ?? {};
  const what = `backup ${backupID}${completionTime === undefined ? '' : ` of ${completionTime}`} (${run.spec.method})`;
  return { source: { backupRunRef: { name: runName } }, policy, what };
}

function serverOf({ into, credentials }: Options, policy: BackupPolicy | undefined): object {
  const own = policy?.spec.source;
  const { workloadRef, host, port, database, tls } = own ?? {};
  if (into === undefined && own === undefined)
    throw usage('Which server to restore into is not known: say --into statefulset/orders-db, or --instance.');
  const said = into === undefined ? undefined : parseServer(into);
  const credentialsSecretRef = credentials ?? (said === undefined ? own?.credentialsSecretRef.name : undefined);
  if (credentialsSecretRef === undefined)
    throw usage('Say --credentials: the Secret with the role that may write into that server.');
  const same = {
    ...(workloadRef === undefined ? { host } : { workloadRef }),
    port,
    database,
    ...(tls === undefined ? {} : { tls }),
  };
  return { ...(said ?? same), credentialsSecretRef: { name: credentialsSecretRef } };
}

function databasesOf(options: Options): readonly object[] {
  const named = (options.database ?? []).map(parseDatabase);
  const { schema, table, excludeTable, content, onConflict, create } = options;
  const tables = {
    ...(table === undefined ? {} : { include: table }),
    ...(excludeTable === undefined ? {} : { exclude: excludeTable }),
  };
  const chosen = {
    ...(schema === undefined ? {} : { schemas: { include: schema } }),
    ...(Object.keys(tables).length === 0 ? {} : { tables }),
  };
  const narrowed = Object.keys(chosen).length > 0;
  const each = {
    ...(create === false ? { create: false } : {}),
    ...(onConflict === undefined ? {} : { onConflict }),
    ...(content === undefined ? {} : { content }),
  };
  if (narrowed && named.length !== 1) throw usage('--schema, --table and --exclude-table need exactly one --database.');
  if (named.length === 0 && Object.keys(each).length > 0)
    throw usage('--on-conflict, --content and --no-create need --database: name those that are meant.');
  return named.map((database) => ({ ...database, ...each, ...chosen }));
}

function describeTarget(target: Readonly<Record<string, unknown>>): string {
  const { server, instance, inPlace } = target as {
    server?: { workloadRef?: { kind: string; name: string }; host?: string };
    instance?: { name: string };
    inPlace?: { workloadRef: { kind: string; name: string } };
  };
  if (server !== undefined)
    return `Into: ${server.workloadRef === undefined ? server.host : `${server.workloadRef.kind} ${server.workloadRef.name}`}, which goes on running.`;
  if (instance !== undefined) return `Into: a new StatefulSet ${instance.name}; nothing that runs is touched.`;
  if (inPlace !== undefined)
    return `Into: ${inPlace.workloadRef.kind} ${inPlace.workloadRef.name}, IN PLACE: it is scaled down, and its data is replaced.`;
  return 'Into: a server that is removed again.';
}

function warnings({ onConflict }: Options): readonly string[] {
  if (onConflict === 'Replace')
    return ['--on-conflict replace DROPS the databases that are named and makes them anew.'];
  if (onConflict === 'Clean')
    return ['--on-conflict clean DROPS the objects that are restored before it makes them anew.'];
  return [];
}

function describeRestore({ metadata, status }: Kinds['RestoreRequest']): string {
  const { databases, objects, errors = 0, firstErrors = [] } = status?.restored ?? {};
  const seconds = secondsBetween(status?.startTime, status?.completionTime);
  const facts = [
    ...(databases === undefined ? [] : [`${databases} database${databases === 1 ? '' : 's'}`]),
    ...(objects === undefined ? [] : [`${objects} objects`]),
    ...(errors === 0 ? [] : [`${errors} ERRORS, the first: ${oneLine(firstErrors[0] ?? 'not told')}`]),
  ];
  const time = seconds === undefined ? '' : ` in ${duration(seconds)}`;
  return `${metadata.name}: restored from ${status?.backupID ?? 'the backup'}${time}. ${facts.join(', ')}`.trimEnd();
}
