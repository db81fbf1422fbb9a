import { task } from '../../../../src/domain/task.ts';

type Environment = readonly { readonly name: string; readonly value?: string }[];

/** The task in a container's environment, as an agent reads it. */
export function taskIn(env: Environment) {
  return task.parse(JSON.parse(env.find(({ name }) => name === 'TIDEMARK_TASK')?.value ?? 'null'));
}
