import type { TestProject } from 'vitest/node';
import { provideEnvironment } from './global-setup.ts';
import { scaleOperator } from './local-operator.ts';

/** As global-setup.ts, for tests with operators of their own: the installed one is away until they have ended. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kubectl = await provideEnvironment(project);
  await scaleOperator(kubectl, 0);
  return () => scaleOperator(kubectl, 2);
}
