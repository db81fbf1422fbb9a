import type { Command } from 'commander';
import { type BackupPolicy, pitrRecovery } from '../../api/kinds.ts';
import { bytes, duration, relative } from '../../domain/display/quantities.ts';
import { showInZone } from '../../domain/wall-clock.ts';
import { usage } from '../exit-code.ts';
import { freshName, get, type Kinds, manifest } from '../objects.ts';
import { collect, making, type Run, subcommand } from '../options.ts';
import { type PlanOptions, planFirst } from '../plan-first.ts';
import { instanceOf, type PlaceOptions, placeOf } from '../recovery-place.ts';
import { recoveryTarget, type TargetOptions, targetOptions } from '../recovery-target.ts';
import type { Session } from '../session.ts';
import { parseAssertion, parseDatabase, parseServer } from '../workload-argument.ts';

export interface SourceOptions {
  readonly repository?: string;
  readonly sourceNamespace?: string;
  readonly systemIdentifier?: string;
}

interface Options extends PlanOptions, TargetOptions, PlaceOptions, SourceOptions {
  readonly extract?: readonly string[];
  readonly extractTable?: readonly string[];
  readonly into?: string;
  readonly credentials?: string;
  readonly assert?: readonly string[];
}

export function addRecover(program: Command, run: Run): void {
  const command = making(subcommand(program, 'recover <policy>', 'bring a server back as it was at one moment'))
    .option('--yes', 'do it without asking back')
    .option('--plan', 'show the plan, and do nothing');
  targetOptions(command)
    .option('--instance <name>', 'make a new server of this name; the default, named after the policy')
    .option('--size <quantity>', "of the new server's volume; default: the source's")
    .option('--storage-class <name>', "of the new server's volume")
    .option('--image <image>', "of the new server; default: the source's")
    .option('--in-place [workload]', 'replace the data of this workload; default: the source')
    .option('--confirm <name>', 'with --in-place: the name of the workload, once more')
    .option('--drop-old-data', 'with --in-place: do not keep the old data directory')
    .option('--ephemeral', 'recover, ask the assertions, and remove it again')
    .option('--extract <database[=name]>', 'copy this database out of the recovered server into a live one', collect)
    .option('--extract-table <pattern>', 'with one --extract: only this table', collect)
    .option('--into <server>', 'with --extract: the live server; default: the source')
    .option('--credentials <secret>', 'with --extract: the Secret with the role to write as')
    .option('--assert <database|query|expected>', 'a question the recovered server must answer so', collect);
  sourceOptions(command).action(
    run((session, policy: string, { plan, ...options }: Options & { plan?: boolean }) =>
      recover(session, policy, { ...options, ...(plan === true ? { planOnly: true } : {}) }),
    ),
  );
}

export function sourceOptions(command: Command): Command {
  return command
    .option('--repository <name>', 'from this repository alone, as if the policy and its cluster were gone')
    .option('--source-namespace <name>', 'with --repository: the namespace whose backups are meant')
    .option('--system-identifier <number>', 'with --repository: the server, where the policy has had several');
}

export async function recover(session: Session, policyName: string, options: Options): Promise<number> {
  const target = recoveryTarget(session, options);
  const { policy, source } = await sourceOf(session, policyName, options);
  const extract = extractOf(options, policy);
  const place =
    (await placeOf(session, options, policy)) ??
    (extract === undefined
      ? {
          instance: await instanceOf(
            session,
            { ...options, instance: `${policyName.replaceAll('.', '-').slice(0, 42)}-recovered` },
            policy,
          ),
        }
      : { ephemeral: {} });
  const assertions = (options.assert ?? []).map(parseAssertion);
  const spec = {
    source,
    recoveryTarget: target,
    target: place,
    ...(extract === undefined ? {} : { extract }),
    ...(assertions.length === 0 ? {} : { assertions }),
  };
  const name = options.name ?? freshName(session, `${policyName}-recovery`, pitrRecovery.nameLength);
  const inPlace = 'inPlace' in place;
  return await planFirst(session, manifest('PitrRecovery', name, session.namespace, spec), options, {
    intent: [describeTarget(session, target), describePlace(place, extract), 'The plan:'],
    question: inPlace ? 'Stop the server, and replace its data as planned?' : 'Do it?',
    summary: describeRecovery,
  });
}

/** The source, and the policy where there is one in this cluster. */
export async function sourceOf(
  session: Session,
  policyName: string,
  { repository, sourceNamespace = session.namespace, systemIdentifier }: SourceOptions,
): Promise<{ readonly policy: BackupPolicy | undefined; readonly source: object }> {
  if (repository === undefined)
    return { policy: await get(session, 'BackupPolicy', policyName), source: { policyRef: { name: policyName } } };
  await get(session, 'BackupRepository', repository);
  const identifier = systemIdentifier === undefined ? {} : { systemIdentifier };
  const whose = { policy: policyName, namespace: sourceNamespace, ...identifier };
  return { policy: undefined, source: { repository: { repositoryRef: { name: repository }, ...whose } } };
}

function extractOf(
  { extract, extractTable, into, credentials }: Options,
  policy: BackupPolicy | undefined,
): object | undefined {
  const [first, ...others] = (extract ?? []).map(parseDatabase);
  if (first === undefined) {
    if (extractTable !== undefined || into !== undefined) throw usage('--extract-table and --into go with --extract.');
    return undefined;
  }
  if (extractTable !== undefined && others.length > 0) throw usage('--extract-table goes with one --extract only.');
  const tables = extractTable === undefined ? {} : { tables: { include: extractTable } };
  const own = policy?.spec.source;
  const server =
    into === undefined
      ? own?.workloadRef === undefined
        ? own?.host && { host: own.host, port: own.port }
        : { workloadRef: own.workloadRef }
      : parseServer(into);
  if (!server) throw usage('Which server to copy into is not known: say --into statefulset/orders-db.');
  const secret = credentials ?? (into === undefined ? own?.credentialsSecretRef.name : undefined);
  if (secret === undefined)
    throw usage('Say --credentials: the Secret with the role that may write into the live server.');
  return {
    databases: [{ ...first, ...tables }, ...others],
    into: { ...server, credentialsSecretRef: { name: secret } },
  };
}

function describeTarget({ timeZone, clock }: Session, target: Readonly<Record<string, unknown>>): string {
  const { targetTime, targetLSN, targetXID, targetName, targetImmediate } = target;
  if (typeof targetTime === 'string') {
    const local = showInZone(Date.parse(targetTime), timeZone);
    return `Target: ${targetTime}, which is ${local} here (${relative(targetTime, clock.now())}).`;
  }
  if (targetLSN !== undefined) return `Target: WAL position ${targetLSN}.`;
  if (targetXID !== undefined) return `Target: transaction ${targetXID}.`;
  if (targetName !== undefined) return `Target: restore point ${JSON.stringify(targetName)}.`;
  return targetImmediate === true ? "Target: the base backup's end." : 'Target: the end of the archived WAL.';
}

function describePlace(place: Readonly<Record<string, object>>, extract: object | undefined): string {
  if (extract !== undefined) return 'Into: a server that is removed again, after what was named is copied out of it.';
  const { instance, inPlace } = place as {
    instance?: { name: string; storage: { size: string } };
    inPlace?: { workloadRef: { kind: string; name: string }; keepOldData?: boolean };
  };
  if (instance !== undefined)
    return `Into: a new StatefulSet ${instance.name} with ${instance.storage.size}; nothing that runs is touched.`;
  if (inPlace === undefined) return 'Into: a server that is removed again.';
  const old = inPlace.keepOldData === false ? 'THE OLD DATA IS NOT KEPT.' : 'The old data is kept beside the new.';
  return `Into: ${inPlace.workloadRef.kind} ${inPlace.workloadRef.name}, IN PLACE: it is scaled down, and its data is replaced. ${old}`;
}

export function describeRecovery({ metadata, status }: Kinds['PitrRecovery']): string {
  const { reached, measured, endpoint, plan } = status ?? {};
  const rto = measured?.rtoSeconds === undefined ? '' : ` in ${duration(measured.rtoSeconds)}`;
  const facts = [
    ...(reached?.time === undefined ? [] : [`the last transaction is of ${reached.time}`]),
    ...(reached?.timeline === undefined ? [] : [`timeline ${reached.timeline}`]),
    ...(plan?.backupID === undefined ? [] : [`from ${plan.backupID}`]),
    ...(plan?.walBytes === undefined ? [] : [`and ${bytes(plan.walBytes)} of WAL`]),
  ];
  const where = endpoint?.service === undefined ? '' : ` It answers at ${endpoint.service}:${endpoint.port ?? 5432}.`;
  return `${metadata.name}: recovered${rto}${facts.length === 0 ? '' : `: ${facts.join(', ')}`}.${where}`;
}
