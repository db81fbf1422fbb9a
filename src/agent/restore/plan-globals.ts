import { beginsWith, findWord, nameAt, type SqlStatement, splitStatements } from './sql-statements.ts';

export interface GlobalsPlan {
  /** In order; `subject` is for messages, since a statement may hold a password. */
  readonly statements: readonly { readonly text: string; readonly subject: string }[];
  readonly newRoles: readonly string[];
  /** Those of the backup that are there: left as they are. */
  readonly presentRoles: readonly string[];
  readonly newTablespaces: readonly string[];
}

interface Present {
  readonly roles: ReadonlySet<string>;
  readonly tablespaces: ReadonlySet<string>;
}

/**
 * What of pg_dumpall's globals is run on a server that has some of the roles and tablespaces: statements about new ones
 * only, so that no password, attribute or membership of a role in use changes.
 */
export function planGlobals(script: string, present: Present): GlobalsPlan {
  const all = splitStatements(script);
  const named = (what: string) => all.flatMap((one) => (beginsWith(one, 'CREATE', what) ? (nameAt(one, 2) ?? []) : []));
  const roles = named('ROLE');
  const newRoles = new Set(roles.filter((role) => !present.roles.has(role)));
  const newTablespaces = new Set(named('TABLESPACE').filter((tablespace) => !present.tablespaces.has(tablespace)));
  const statements = all.flatMap((statement) => {
    const subject = subjectOf(statement, newRoles, newTablespaces);
    return subject === undefined ? [] : [{ text: statement.text, subject }];
  });
  return {
    statements,
    newRoles: [...newRoles],
    presentRoles: roles.filter((role) => !newRoles.has(role)),
    newTablespaces: [...newTablespaces],
  };
}

/** undefined for what is not run. */
function subjectOf(
  statement: SqlStatement,
  newRoles: ReadonlySet<string>,
  newTablespaces: ReadonlySet<string>,
): string | undefined {
  for (const [noun, news] of [
    ['ROLE', newRoles],
    ['TABLESPACE', newTablespaces],
  ] as const) {
    for (const begin of [
      ['CREATE', noun],
      ['ALTER', noun],
      ['COMMENT', 'ON', noun],
    ]) {
      if (!beginsWith(statement, ...begin)) continue;
      const name = nameAt(statement, begin.length) ?? '';
      return news.has(name) ? `${begin.join(' ')} ${name}` : undefined;
    }
  }
  return beginsWith(statement, 'GRANT') ? subjectOfGrant(statement, newRoles, newTablespaces) : undefined;
}

function subjectOfGrant(
  statement: SqlStatement,
  newRoles: ReadonlySet<string>,
  newTablespaces: ReadonlySet<string>,
): string | undefined {
  const to = nameAt(statement, findWord(statement, 'TO') + 1) ?? '';
  const on = findWord(statement, 'ON');
  if (on === -1) {
    const granted = nameAt(statement, 1) ?? '';
    return newRoles.has(to) || newRoles.has(granted) ? `GRANT ${granted} TO ${to}` : undefined;
  }
  const what = nameAt(statement, on + 1) ?? '';
  const name = nameAt(statement, on + 2) ?? '';
  const isNew = what === 'tablespace' ? newTablespaces.has(name) : newRoles.has(to);
  return isNew ? `GRANT ON ${what} ${name} TO ${to}` : undefined;
}
