import type { TestProject } from 'vitest/node';
import { provideEnvironment } from './global-setup.ts';
import { giveOperatorBack, takeOperatorAway } from './installed-operator.ts';

/** As global-setup.ts, for tests with operators of their own: the installed one is away until they have ended. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kubectl = await provideEnvironment(project);
  await takeOperatorAway(kubectl);
  return () => giveOperatorBack(kubectl);
}
