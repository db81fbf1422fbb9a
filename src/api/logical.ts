import { z } from 'zod';
import { formed, integer, list, pattern, ruled } from './schema.ts';

const namePatterns = z.object({ include: list(pattern, 256).default([]), exclude: list(pattern, 256).default([]) });

/** The prefixes of a long option: getopt_long takes any that is unambiguous, so all of them are refused. */
function abbreviations(option: string): string {
  const [first = '', ...rest] = option;
  return first + rest.reduceRight((tail, letter) => `(${letter === '-' ? '-' : letter}${tail})?`, '');
}

/**
 * What Tidemark sets itself, what a field says, and what would turn a backup into something else (fewer rows, an
 * inconsistent one, one that a restore cannot trust) or wait for a terminal.
 */
const reserved = [
  ...['file', 'format', 'host', 'port', 'username', 'password', 'no-password', 'dbname', 'role', 'jobs', 'compress'],
  ...['help', 'version', 'filter', 'schema-only', 'data-only', 'no-schema', 'no-data', 'snapshot'],
  ...['clean', 'if-exists', 'create', 'inserts', 'no-owner', 'no-privileges', 'no-acl', 'no-sync', 'sync-method'],
  ...['blobs', 'large-objects', 'no-blobs', 'no-large-objects', 'table', 'exclude-table', 'exclude-table-data'],
  ...['exclude-schema', 'enable-row-security', 'no-synchronized-snapshots', 'binary-upgrade', 'restrict-key'],
];
// --statistics is an option of its own, and --statistics-only another.
const reservedOption = `^--(${[...reserved.map(abbreviations), 'statistics-[a-z]*'].join('|')})(=|$)`;
const reservedExpression = new RegExp(reservedOption);

const extraArgument = ruled(
  formed(
    '^--[a-z][-a-z0-9]*(=[^\\x00-\\x1f]*)?$',
    512,
    'must be one long option, such as --no-comments or --extension=hstore',
  ),
  {
    cel: `!self.matches('${reservedOption}')`,
    message:
      'extraArgs may not set the file, format, connection, password, jobs, compression, what a field of spec.logical says, or what would make the backup less than it seems (such as --enable-row-security)',
    holds: (argument) => !reservedExpression.test(argument),
  },
);

/** What pg_dump and pg_dumpall are asked for; every field is one of their options. */
export const logical = ruled(
  z.object({
    databases: z
      .object({ include: list(pattern, 256, 1).default(['*']), exclude: list(pattern, 256).default([]) })
      .prefault({}),
    globals: z.enum(['All', 'Roles', 'Tablespaces', 'None']).default('All'),
    format: z.enum(['Plain', 'Custom', 'Directory', 'Tar']).default('Custom'),
    jobs: integer(1, 64).optional(),
    content: z.enum(['All', 'SchemaOnly', 'DataOnly']).default('All'),
    schemas: namePatterns.prefault({}),
    tables: z
      .object({
        include: list(pattern, 256).default([]),
        exclude: list(pattern, 256).default([]),
        excludeData: list(pattern, 256).default([]),
      })
      .prefault({}),
    largeObjects: z.enum(['Include', 'Exclude']).default('Include'),
    inserts: z.boolean().default(false),
    clean: z.boolean().default(false),
    create: z.boolean().default(false),
    noOwner: z.boolean().default(false),
    noPrivileges: z.boolean().default(false),
    extraArgs: list(extraArgument, 32).default([]),
  }),
  {
    cel: "!has(self.jobs) || self.jobs == 1 || self.format == 'Directory'",
    message: 'jobs above 1 needs format: Directory; pg_dump writes the other formats with one process',
    holds: ({ format, jobs }) => jobs === undefined || jobs === 1 || format === 'Directory',
  },
  {
    cel: "!self.clean || self.content != 'DataOnly'",
    message: 'clean drops objects before it creates them, so it cannot go with content: DataOnly',
    holds: ({ clean, content }) => !clean || content !== 'DataOnly',
  },
  {
    cel: "!self.create || self.content != 'DataOnly'",
    message: 'create makes the database anew, without the tables that content: DataOnly is to fill',
    holds: ({ create, content }) => !create || content !== 'DataOnly',
  },
  {
    cel: "self.format == 'Plain' || !(self.clean || self.create || self.noOwner)",
    message:
      'clean, create and noOwner are written into a dump of format: Plain only; with the other formats they are said when it is restored (onConflict, create and noOwner of the RestoreRequest)',
    holds: ({ format, clean, create, noOwner }) => format === 'Plain' || !(clean || create || noOwner),
  },
);

export type Logical = z.output<typeof logical>;
