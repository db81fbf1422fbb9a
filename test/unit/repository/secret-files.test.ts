import { expect, test } from 'vitest';
import { renewing } from '../../../src/repository/secret-files.ts';

function world() {
  const state = { secret: 'first', now: 0, made: [] as string[], fails: false };
  const current = renewing(
    async () => {
      if (state.fails) throw new Error('no such Secret');
      return state.secret;
    },
    (secret) => {
      state.made.push(secret);
      return { secret };
    },
    { now: () => state.now },
  );
  return { state, current };
}

test('what is made of a Secret is made once, and again when the Secret has changed a minute later', async () => {
  const { state, current } = world();
  const made = await Promise.all([current(), current()]);
  expect(made[0]).toBe(made[1]);
  state.secret = 'second';
  state.now = 59_999;
  expect(await current()).toEqual({ secret: 'first' });
  state.now = 60_000;
  expect(await current()).toEqual({ secret: 'second' });
  state.now = 200_000;
  await current();
  expect(state.made).toEqual(['first', 'second']);
});

test('a Secret that cannot be read is told, and read again by the next call', async () => {
  const { state, current } = world();
  state.fails = true;
  await expect(current()).rejects.toThrow('no such Secret');
  state.fails = false;
  expect(await current()).toEqual({ secret: 'first' });
});
