import { pitrRecoverySpec } from '../api/pitr-recovery.ts';
import { restoreRequestSpec } from '../api/restore-request.ts';
import { remove } from '../kube/objects.ts';
import { exitCode, Stop, usage } from './exit-code.ts';
import { create, type Kinds, type Manifest } from './objects.ts';
import type { WaitOptions } from './options.ts';
import { perform } from './perform.ts';
import { printAs } from './print.ts';
import type { Session } from './session.ts';
import { oneLine } from './terminal.ts';
import { waitFor } from './wait.ts';

export type Planned = 'RestoreRequest' | 'PitrRecovery';

export interface PlanOptions extends WaitOptions {
  readonly yes?: boolean;
  readonly planOnly?: boolean;
}

interface Words<Kind extends Planned> {
  /** What is about to be done, before the plan's steps. */
  readonly intent: readonly string[];
  readonly question: string;
  summary(ended: Kinds[Kind]): string;
}

const schemas = { RestoreRequest: restoreRequestSpec, PitrRecovery: pitrRecoverySpec };

/**
 * Has the cluster plan the work first, which touches nothing and finds every refusal; shows the plan, and does it if the
 * person says yes. The object that planned is removed again. --yes goes without, for scripts.
 */
export async function planFirst<Kind extends Planned>(
  session: Session,
  manifest: Manifest & { readonly kind: Kind },
  options: PlanOptions,
  words: Words<Kind>,
): Promise<number> {
  const { terminal } = session;
  const checked = schemas[manifest.kind].safeParse(manifest.spec);
  if (!checked.success)
    throw usage(
      checked.error.issues.map(({ path, message }) => `${['spec', ...path].join('.')}: ${message}.`).join(' '),
    );
  if (options.dryRun === true || options.yes === true) return await perform(session, manifest, options, words.summary);
  if (options.planOnly !== true && !terminal.asks)
    throw usage(
      'Nobody is here to be asked: say --yes to do it, --plan to see the plan, or --dry-run to see the YAML.',
    );
  const steps = await planned(session, manifest, options.timeout);
  const text = [...words.intent, ...steps.map((step, index) => `  ${index + 1}. ${step}`)].join('\n');
  if (options.planOnly === true) {
    if (options.output === undefined) terminal.out(text);
    else printAs(terminal, options.output, { plan: steps });
    return exitCode.done;
  }
  terminal.say(text);
  if (!(await terminal.confirm(words.question, session.signal))) throw new Stop(exitCode.declined, 'Nothing was done.');
  return await perform(session, manifest, options, words.summary);
}

async function planned<Kind extends Planned>(
  session: Session,
  wanted: Manifest & { readonly kind: Kind },
  timeout: number | undefined,
): Promise<readonly string[]> {
  const { kind } = wanted;
  const name = `${wanted.metadata.name.slice(0, 46)}-plan`;
  const made = await create(session, {
    ...wanted,
    metadata: { ...wanted.metadata, name },
    spec: { ...wanted.spec, dryRun: true },
  });
  session.terminal.say('Planning; nothing is touched.');
  try {
    const { status } = await waitFor(session, kind, made, timeout);
    if (status?.phase !== 'Completed')
      throw new Stop(
        exitCode.failed,
        `It cannot be done, and nothing was touched. ${oneLine(status?.error ?? '') || status?.phase}`,
      );
    return stepsOf(status).map(oneLine);
  } catch (error) {
    // The plan does not go on: it is taken away.
    if (!(error instanceof Stop) || error.code === exitCode.failed) throw error;
    throw new Stop(error.code, 'It was not planned to the end, and nothing was done.', error);
  } finally {
    await removePlan(session, made);
  }
}

function stepsOf(status: Kinds[Planned]['status']): readonly string[] {
  const plan = status?.plan;
  if (plan === undefined) return [];
  return 'steps' in plan
    ? (plan.steps ?? [])
    : Array.isArray(plan)
      ? plan.map(({ step }: { readonly step: string }) => step)
      : [];
}

/** Also where the person has interrupted: the session's signal is aborted then. */
async function removePlan({ client, terminal }: Session, { kind, metadata }: Kinds[Planned]): Promise<void> {
  const { name, namespace, uid } = metadata;
  try {
    await remove(client, { kind, namespace, name, uid }, AbortSignal.timeout(10_000));
  } catch {
    terminal.say(
      `The plan ${kind} ${name} could not be removed; it does nothing. kubectl --namespace ${namespace} delete ${kind.toLowerCase()} ${name}`,
    );
  }
}
