import { terminal } from '../../../domain/failure.ts';
import type { ChosenDatabase, Way } from '../choose-databases.ts';
import type { Selection } from '../select-objects.ts';
import type { Script } from './read-script.ts';
import { isOfDatabase } from './script-entry.ts';

/** What of a Plain dump is restored: all of it, because psql takes no choice. Everything else is a terminal refusal. */
export function selectScript(
  script: Script,
  { asked, index }: Pick<ChosenDatabase, 'asked' | 'index'>,
  way: Way,
): Selection {
  const entries = script.entries.filter((entry) => !isOfDatabase(entry));
  const refuse = (what: string, instead: string) => {
    throw terminal(
      'PlainDump',
      `databases[${index}] asks for ${what}, and the backup of ${asked.name} is a Plain dump, which psql runs as a whole. Nothing was changed. ${instead}`,
    );
  };
  const choices = [
    ...[...asked.schemas.include, ...asked.schemas.exclude].map(() => 'a choice of schemas'),
    ...[...asked.tables.include, ...asked.tables.exclude].map(() => 'a choice of tables'),
    ...(asked.sections.length === 0 ? [] : ['sections']),
    ...(asked.listFile === undefined ? [] : ['a listFile']),
  ];
  const elsewhere = `Restore all of it into a database of another name (targetName) and take from there what you want, or use a backup of format Custom, Directory or Tar.`;
  if (choices[0] !== undefined) refuse(choices[0], elsewhere);
  const hasRows = entries.some(({ section, kind }) => section === 'Data' && kind !== 'SEQUENCE SET');
  const hasObjects = entries.some(({ section, kind }) => section !== 'Data' && !kind.startsWith('BLOB'));
  if (asked.content === 'SchemaOnly' && hasRows) refuse('content: SchemaOnly, but the dump has rows too', elsewhere);
  if (asked.content === 'DataOnly' && hasObjects)
    refuse('content: DataOnly, but the dump makes the tables too', elsewhere);
  if (
    way === 'Into' &&
    asked.onConflict === 'Clean' &&
    !script.marks.some(({ kind }) => kind === 'Clean' || kind === 'CleanIndex')
  ) {
    refuse(
      'onConflict: Clean, but the dump drops nothing (its policy had logical.clean: false, or create: true, which drops whole databases only)',
      'Use onConflict: Replace to put a new database in the place of this one, or restore into another one (targetName).',
    );
  }
  return { entries, whole: true, added: [], leftOut: [], inOrderOnly: true };
}
