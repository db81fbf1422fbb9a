import { expect, test } from 'vitest';
import { createPsqlOutput } from '../../../../../src/agent/restore/script/psql-output.ts';

const read = (text: string) => {
  const output = createPsqlOutput();
  for (const line of text.split('\n')) output.line(line);
  output.end();
  return { errors: output.errors(), firstErrors: output.firstErrors() };
};

test('counts errors with their statements, and never takes the lines of a statement for one', () => {
  const { errors, firstErrors } = read(`psql:<stdin>:3: NOTICE:  nothing
psql:<stdin>:4: ERROR:  relation "t" already exists
DETAIL:  It does.
psql:<stdin>:4: STATEMENT:  CREATE TABLE public.t (
psql: error: not one
ERROR:  not one either
);
psql:<stdin>:9: WARNING:  nothing
psql:<stdin>:12: ERROR:  duplicate key
psql:<stdin>:12: STATEMENT:  INSERT INTO public.secret VALUES ('geheim');
psql:<stdin>:20: FATAL:  terminating connection`);
  expect(errors).toBe(3);
  expect(firstErrors[0]).toEqual({
    object: 'CREATE TABLE public.t',
    message: 'relation "t" already exists\nDETAIL:  It does.',
  });
  expect(JSON.stringify(firstErrors)).not.toContain('geheim');
});
