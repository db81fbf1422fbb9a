import type { Command } from 'commander';
import { type BackupPolicy, pitrRecovery } from '../../api/kinds.ts';
import { findCondition } from '../../domain/conditions.ts';
import { duration } from '../../domain/display/quantities.ts';
import { formatMoment } from '../../domain/recovery/moment.ts';
import { exitCode, usage } from '../exit-code.ts';
import { freshName, type Kinds, manifest } from '../objects.ts';
import { collect, making, type Run, subcommand, type WaitOptions, wholeNumber } from '../options.ts';
import { perform } from '../perform.ts';
import { recoveryTarget, type TargetOptions, targetOptions } from '../recovery-target.ts';
import type { Session } from '../session.ts';
import { oneLine } from '../terminal.ts';
import { parseAssertion } from '../workload-argument.ts';
import { describeRecovery, type SourceOptions, sourceOf, sourceOptions } from './recover.ts';

interface Options extends WaitOptions, TargetOptions, SourceOptions {
  readonly random?: boolean;
  readonly rto?: number;
  readonly rpo?: number;
  readonly image?: string;
  readonly assert?: readonly string[];
}

export function addDrill(program: Command, run: Run): void {
  const description = 'rehearse the disaster: recover to a server that is removed again, and time it';
  const command = targetOptions(making(subcommand(program, 'drill <policy>', description)))
    .option('--random', 'to a random moment of the restorable window')
    .option('--rto <seconds>', 'the recovery may take this long', wholeNumber)
    .option('--rpo <seconds>', 'so much of the time before the target may be lost', wholeNumber)
    .option('--image <image>', "of the server; default: the source's")
    .option('--assert <database|query|expected>', 'a question the recovered server must answer so', collect);
  sourceOptions(command).action(run(drill));
}

export async function drill(session: Session, policyName: string, options: Options): Promise<number> {
  const { policy, source } = await sourceOf(session, policyName, options);
  const said = recoveryTarget(session, options, true);
  const target = options.random === true ? { ...said, targetTime: randomMoment(policy, options) } : said;
  const assertions = (options.assert ?? []).map(parseAssertion);
  const objectives = {
    ...(options.rto === undefined ? {} : { rtoSeconds: options.rto }),
    ...(options.rpo === undefined ? {} : { rpoSeconds: options.rpo }),
  };
  const spec = {
    source,
    recoveryTarget: target,
    target: { ephemeral: options.image === undefined ? {} : { image: options.image } },
    ...(assertions.length === 0 ? {} : { assertions }),
    ...(Object.keys(objectives).length === 0 ? {} : { objectives }),
  };
  const name = options.name ?? freshName(session, `${policyName}-drill`, pitrRecovery.nameLength);
  let missed = false;
  const code = await perform(session, manifest('PitrRecovery', name, session.namespace, spec), options, (ended) => {
    const met = findCondition(ended.status?.conditions, 'ObjectivesMet');
    missed = met !== undefined && met.status !== 'True';
    return describeDrill(ended);
  });
  return code === exitCode.done && missed ? exitCode.failed : code;
}

function randomMoment(
  policy: BackupPolicy | undefined,
  { to, toLsn, toXid, toName, immediate, latest }: Options,
): string {
  if ([to, toLsn, toXid, toName, immediate, latest].some((each) => each !== undefined))
    throw usage('--random chooses the target: say no other one.');
  if (policy === undefined) throw usage('--random needs the restorable window of a policy in this cluster: say --to.');
  const { earliestTime, latestTime, gaps = [] } = policy.status?.restorable ?? {};
  const [from, to_] = [Date.parse(earliestTime ?? ''), Date.parse(latestTime ?? '')];
  if (!(from <= to_))
    throw usage(
      `No restorable window of ${policy.metadata.name} is known yet: kubectl tidemark doctor ${policy.metadata.name}`,
    );
  const holes = gaps.map(({ fromTime, toTime }) => [Date.parse(fromTime ?? ''), Date.parse(toTime ?? '')] as const);
  if (holes.some((hole) => hole.some(Number.isNaN)))
    throw usage('The archive has a gap of which no time is known: say --to.');
  for (let tries = 0; tries < 1000; tries += 1) {
    const moment = from + Math.floor(Math.random() * (to_ - from + 1));
    if (!holes.some(([start = 0, end = 0]) => moment >= start && moment <= end)) return formatMoment(moment * 1000);
  }
  throw usage('The restorable window is nearly all gaps: say --to.');
}

function describeDrill(ended: Kinds['PitrRecovery']): string {
  const { measured, assertions = [], conditions } = ended.status ?? {};
  const { rpoSeconds: rpo, heartbeatSeconds } = measured ?? {};
  const by = heartbeatSeconds === undefined ? '' : `, by a heartbeat every ${duration(heartbeatSeconds)}`;
  const passed = assertions.filter((each) => each.passed).length;
  const met = findCondition(conditions, 'ObjectivesMet');
  return [
    describeRecovery(ended),
    ...(rpo === undefined ? [] : [`Lost of the time before the target: ${duration(rpo)}${by}.`]),
    ...(assertions.length === 0 ? [] : [`Assertions: ${passed} of ${assertions.length} hold.`]),
    ...(met === undefined ? [] : [`Objectives: ${met.reason}. ${oneLine(met.message)}`]),
  ].join('\n');
}
