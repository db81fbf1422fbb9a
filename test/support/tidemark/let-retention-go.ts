import type { Scenario } from './scenario.ts';
import { until } from './until.ts';

interface Retention {
  readonly plan?: readonly { readonly dueTime?: string }[];
  readonly nextDueTime?: string;
  readonly plannedTime?: string;
}

const past = '2026-01-01T00:00:00Z';

/** What a policy's plan has for a later hour goes now; resolves when that was seen to, at once where there is nothing. */
export async function letRetentionGo(
  { kubectl, namespace }: Pick<Scenario, 'kubectl' | 'namespace'>,
  name: string,
): Promise<void> {
  const read = () => retentionStatus({ kubectl, namespace }, name);
  const write = (retention: object) => {
    const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status: { retention } })];
    return kubectl.run(['patch', 'backuppolicy', name, ...patch], { namespace });
  };
  const before = await read();
  if (before.nextDueTime === undefined) return;
  const plan = (before.plan ?? []).map((each) => (each.dueTime === undefined ? each : { ...each, dueTime: past }));
  await write({ plan, nextDueTime: past });
  const replanned = async () => {
    const found = await read();
    return found.plannedTime === before.plannedTime ? undefined : found;
  };
  const after = await until('the plan to be carried out', replanned, { seconds: 400 });
  // What a person has written beside the operator, only he takes away.
  if (after.nextDueTime === past) await write({ nextDueTime: null });
}

/** What a policy's status says of its retention. */
export async function retentionStatus(
  { kubectl, namespace }: Pick<Scenario, 'kubectl' | 'namespace'>,
  name: string,
): Promise<Retention> {
  return ((await kubectl.get('backuppolicy', name, namespace))?.status?.['retention'] ?? {}) as Retention;
}
