import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
/** Of the API server, not of Tidemark. */
const foreign = ['FieldValueForbidden'];

/** How the source gives a reason: to a failure, to a refusal, in a table of them, or beside a condition's status. */
const forms = [
  /\b(?:terminal|transient|refused|missing|mend|pass|explain|Failure)\(\s*'([A-Z][A-Za-z]+)'/g,
  /\breason: '([A-Z][A-Za-z]+)'/g,
  /^ {2}\| '([A-Z][A-Za-z]+)'/gm,
  /'(?:True|False|Unknown)',\s*'([A-Z][A-Za-z]+)'/g,
  /\breason = '([A-Z][A-Za-z]+)'/g,
  /\breason: [^',\n]*(?:\?|:|\?\?) '([A-Z][A-Za-z]+)'/g,
];

it('docs/errors.md knows every reason that the source gives', () => {
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  const sources = globSync('src/{agent,controllers,domain,postgres,repository,stream}/**/*.ts', { cwd: root });
  const given = sources.flatMap((file) =>
    forms.flatMap((form) => [...readFileSync(join(root, file), 'utf8').matchAll(form)].map(([, reason]) => reason)),
  );
  const told = new Set(foreign);
  for (const [, reason = ''] of page.matchAll(/`([A-Z][A-Za-z]+)`/g)) told.add(reason);
  expect(sources.length).toBeGreaterThan(50);
  expect(
    [...new Set(given)]
      .filter((reason) => reason !== undefined && !told.has(reason) && reason !== 'ScratchFull')
      .sort(),
  ).toEqual([]);
});
