import type { Command } from 'commander';
import { type BackupPolicy, backupRun } from '../../api/kinds.ts';
import { bytes, duration, secondsBetween } from '../../domain/display/quantities.ts';
import { usage } from '../exit-code.ts';
import { freshName, get, type Kinds, manifest } from '../objects.ts';
import { choice, making, type Run, subcommand, type WaitOptions } from '../options.ts';
import { perform } from '../perform.ts';
import type { Session } from '../session.ts';

interface Options extends WaitOptions {
  readonly method?: 'Physical' | 'Logical';
  readonly type?: 'Full' | 'Differential' | 'Incremental';
  readonly hold?: boolean;
  readonly deletionPolicy?: 'Retain' | 'Delete';
}

export function addBackup(program: Command, run: Run): void {
  making(subcommand(program, 'backup <policy>', 'make a backup now'))
    .option('--method <method>', 'physical or logical; default: that of the schedules', choice(['Physical', 'Logical']))
    .option(
      '--type <type>',
      'full (default), differential or incremental',
      choice(['Full', 'Differential', 'Incremental']),
    )
    .option('--hold', 'retention leaves this backup alone')
    .option(
      '--deletion-policy <policy>',
      'retain (default) or delete: what deleting the BackupRun does to the backup',
      choice(['Retain', 'Delete']),
    )
    .action(run(backup));
}

export async function backup(session: Session, policyName: string, options: Options): Promise<number> {
  const policy = await get(session, 'BackupPolicy', policyName);
  const method = options.method ?? methodOf(policy);
  const name = options.name ?? freshName(session, `${policyName}-manual`, backupRun.nameLength);
  const spec = {
    policyRef: { name: policyName },
    method,
    type: options.type ?? 'Full',
    ...(options.hold === true ? { hold: true } : {}),
    ...(options.deletionPolicy === undefined ? {} : { deletionPolicy: options.deletionPolicy }),
  };
  return await perform(session, manifest('BackupRun', name, session.namespace, spec), options, describeBackup);
}

/** The method that the schedules have, or, without any, the one that the archive is for. */
function methodOf({ metadata, spec }: BackupPolicy): 'Physical' | 'Logical' {
  const methods = new Set(spec.schedules.map(({ method }) => method));
  const [only] = methods;
  if (methods.size > 1)
    throw usage(
      `The schedules of ${metadata.name} make both kinds of backups: say --method physical or --method logical.`,
    );
  return only ?? (spec.walArchiving.mode === 'None' ? 'Logical' : 'Physical');
}

export function describeBackup({ metadata, spec, status }: Kinds['BackupRun']): string {
  const seconds = secondsBetween(status?.startTime, status?.completionTime);
  const time = seconds === undefined ? '' : ` in ${duration(seconds)}`;
  const { stored, source, compressionRatio } = status?.size ?? {};
  const sizes = [
    ...(stored === undefined ? [] : [`${bytes(stored)} stored`]),
    ...(source === undefined ? [] : [`of ${bytes(source)}`]),
    ...(compressionRatio ? [`(ratio ${compressionRatio})`] : []),
  ].join(' ');
  const where = (status?.repositories ?? []).map(({ name, state }) =>
    state === 'Stored' ? name : `${name}: ${state}`,
  );
  const ends = [sizes, where.join(', '), status?.backupID ?? ''].filter((part) => part !== '');
  return `${metadata.name}: the ${spec.method} backup is complete${time}. ${ends.join(', ')}.`;
}
