import type { RestoreTask } from '../../domain/task.ts';
import { listObjects } from './describe-object.ts';
import type { DatabasePlan } from './plan-database.ts';
import type { GlobalsPlan } from './plan-globals.ts';
import { createLines, dropLines, mebibytes } from './plan-lists.ts';
import type { TargetServer } from './target-server.ts';

export interface PlanStep {
  readonly step: string;
}

/** What status.plan takes. */
const maxSteps = 512;
const maxLength = 1024;

/** What is going to be done, for a person to read before or after it is. */
export function planSteps(
  plans: readonly DatabasePlan[],
  globals: GlobalsPlan | undefined,
  server: TargetServer,
  options: RestoreTask['restore'],
): readonly PlanStep[] {
  const steps = [
    ...(globals === undefined ? [] : globalsSteps(globals)),
    ...plans.flatMap((plan) => databaseSteps(plan, server, options)),
    ...(options.assertions.length === 0 ? [] : [`check ${count(options.assertions.length, 'assertion')}`]),
    ...plans.flatMap((plan) =>
      plan.way === 'Replace'
        ? [`drop the old database ${plan.targetName} (${mebibytes(server.databases.get(plan.targetName)?.bytes ?? 0)})`]
        : [],
    ),
  ];
  return steps.slice(0, maxSteps).map((step) => ({ step: [...step].slice(0, maxLength).join('') }));
}

function globalsSteps({ newRoles, presentRoles, newTablespaces }: GlobalsPlan): readonly string[] {
  return [
    newRoles.length === 0 ? 'create no roles: all of the backup are there' : `create roles ${some(newRoles)}`,
    ...(presentRoles.length === 0 ? [] : [`leave roles ${some(presentRoles)} as they are`]),
    ...(newTablespaces.length === 0 ? [] : [`create tablespaces ${some(newTablespaces)}`]),
  ];
}

function databaseSteps(plan: DatabasePlan, server: TargetServer, options: RestoreTask['restore']): readonly string[] {
  const { selection, missingTablespaces, source, targetName, asked, present } = plan;
  const { entries, added, leftOut, whole } = selection;
  const tables = entries.filter(({ kind }) => kind === 'TABLE' || kind === 'FOREIGN TABLE').length;
  const size = `, ${whole ? '' : 'of '}${mebibytes(source.bytes)} at the time of the backup`;
  return [
    beginning(plan, server),
    ...(asked.onConflict === 'Clean' && present.length > 0
      ? [
          `drop ${count(present.length, 'object')} that the backup brings back, with all rows: ${listObjects(present)}`,
          ...dropLines(plan),
        ]
      : []),
    `restore ${count(entries.length, 'object')} (${count(tables, 'table')}${size}) of ${source.name} into ${targetName}${how(plan, options)}`,
    ...createLines(plan),
    ...extensionLines(plan, server),
    ...(added.length === 0
      ? []
      : [`among them, because the others need it and ${targetName} lacks it: ${listObjects(added)}`]),
    ...leftOut.map(
      ({ entry, without }) =>
        `leave out ${listObjects([entry])}, because ${targetName} has no ${listObjects([without])}`,
    ),
    ...(missingTablespaces.length === 0
      ? []
      : [
          `put everything into the default tablespace, because the server has no tablespace ${some(missingTablespaces)}`,
        ]),
    ...(plan.hasDefaultPrivileges && asked.content !== 'DataOnly'
      ? [`new objects also get the default privileges that are set in ${targetName} (psql: \\ddp)`]
      : []),
    ...(asked.content === 'SchemaOnly' ? [] : [`analyze what was restored in ${targetName}`]),
    ...(plan.way === 'Replace' ? [`put the new database in the place of ${targetName}, whose connections end`] : []),
  ];
}

/** No dump says in which version it had an extension; the target's files decide. */
function extensionLines(
  { selection, source, targetName }: DatabasePlan,
  { extensionVersions }: TargetServer,
): readonly string[] {
  return selection.entries.flatMap(({ kind, name }) => {
    const version = extensionVersions.get(name);
    const before = source.extensions?.find((one) => one.name === name)?.version;
    if (kind !== 'EXTENSION' || version === undefined || before === undefined || version === before) return [];
    return [`extension ${name} comes in version ${version} in ${targetName}, and had version ${before} in the source`];
  });
}

function beginning({ way, targetName, source }: DatabasePlan, server: TargetServer): string {
  const there = server.databases.get(targetName);
  const made = `(encoding ${source.encoding}, locale ${source.collate})`;
  switch (way) {
    case 'Create':
      return `create database ${targetName} ${made}`;
    case 'Replace':
      return `create a new database ${made} beside ${targetName} (${mebibytes(there?.bytes ?? 0)}), which stays until the new one is complete`;
    case 'Into':
      return `use the existing database ${targetName} (${mebibytes(there?.bytes ?? 0)})`;
  }
}

function how(plan: DatabasePlan, options: RestoreTask['restore']): string {
  const { way, asked, jobs } = plan;
  const { noOwner, noPrivileges, role, exitOnError } = options;
  const words = [
    ...(asked.content === 'All' ? [] : [asked.content === 'SchemaOnly' ? 'without rows' : 'rows only']),
    ...(asked.sections.length === 0 ? [] : [`of the sections ${asked.sections.join(', ')}`]),
    ...(jobs > 1 ? [`${jobs} jobs`] : []),
    ...(jobs === 1 && options.jobs > 1 ? [`in one job, because ${whyOneJob(plan)}`] : []),
    ...(way === 'Into' && jobs === 1 && exitOnError ? ['in one transaction'] : []),
    ...(noOwner ? ['without owners'] : []),
    ...(noPrivileges ? ['without grants'] : []),
    ...(role === '' ? [] : [`as role ${role}`]),
    ...(exitOnError ? [] : ['counting errors']),
  ];
  return words.length === 0 ? '' : `, ${words.join(', ')}`;
}

function whyOneJob({ archive: { format } }: DatabasePlan): string {
  if (format === 'Plain') return 'psql runs a Plain dump in its order';
  if (format === 'Tar') return 'pg_restore reads a Tar in its order';
  return 'the order of the objects matters here';
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function some(names: readonly string[]): string {
  return names.length > 20 ? `${names.slice(0, 20).join(', ')} and ${names.length - 20} more` : names.join(', ');
}
