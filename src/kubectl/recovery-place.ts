import type { BackupPolicy } from '../api/kinds.ts';
import { read } from '../kube/objects.ts';
import { usage } from './exit-code.ts';
import type { Session } from './session.ts';
import { parseWorkload } from './workload-argument.ts';

export interface PlaceOptions {
  readonly instance?: string;
  readonly size?: string;
  readonly storageClass?: string;
  readonly image?: string;
  readonly inPlace?: string | true;
  readonly confirm?: string;
  readonly dropOldData?: boolean;
  readonly ephemeral?: boolean;
}

/** spec.target.instance, inPlace or ephemeral; undefined where nothing of it was said. */
export async function placeOf(
  session: Session,
  options: PlaceOptions,
  policy: BackupPolicy | undefined,
): Promise<Readonly<Record<string, object>> | undefined> {
  const said = [options.instance, options.inPlace, options.ephemeral].filter(
    (each) => each !== undefined && each !== false,
  );
  if (said.length > 1) throw usage('Say one of --instance, --in-place and --ephemeral.');
  const image = options.image === undefined ? {} : { image: options.image };
  if (options.ephemeral === true) return { ephemeral: image };
  if (options.inPlace !== undefined) return { inPlace: inPlaceOf(options, policy) };
  if (options.instance === undefined) return undefined;
  return { instance: await instanceOf(session, { ...options, instance: options.instance }, policy) };
}

/** A new server: its volume is as large as the source's unless something else is said. */
export async function instanceOf(
  session: Session,
  { instance, size, storageClass, image }: PlaceOptions & { readonly instance: string },
  policy: BackupPolicy | undefined,
): Promise<object> {
  const storage = size ?? (await sizeOfSource(session, policy));
  if (storage === undefined)
    throw usage('How large the volume of the new server must be is not known: say --size, such as --size 10Gi.');
  return {
    name: instance,
    storage: { size: storage, ...(storageClass === undefined ? {} : { storageClassName: storageClass }) },
    ...(image === undefined ? {} : { image }),
  };
}

function inPlaceOf({ inPlace, confirm, dropOldData }: PlaceOptions, policy: BackupPolicy | undefined): object {
  const ref = typeof inPlace === 'string' ? parseWorkload(inPlace) : policy?.spec.source.workloadRef;
  if (ref === undefined) throw usage('Which workload is meant is not known: say --in-place statefulset/orders-db.');
  if (ref.kind === 'Pod')
    throw usage('A Pod cannot be scaled down, so nothing can be recovered in its place: use --instance.');
  if (confirm !== ref.name)
    throw usage(
      `In place means that the data of ${ref.kind} ${ref.name} is replaced: repeat its name, --confirm ${ref.name}.`,
    );
  return {
    workloadRef: { kind: ref.kind, name: ref.name },
    confirm,
    ...(dropOldData === true ? { keepOldData: false } : {}),
  };
}

interface StatefulSet {
  readonly spec: {
    readonly volumeClaimTemplates?: readonly {
      readonly spec: { readonly resources?: { readonly requests?: { readonly storage?: string } } };
    }[];
  };
}

async function sizeOfSource(
  { client, namespace, signal }: Session,
  policy: BackupPolicy | undefined,
): Promise<string | undefined> {
  const ref = policy?.spec.source.workloadRef;
  if (ref?.kind !== 'StatefulSet') return undefined;
  const found = await read<StatefulSet>(client, 'StatefulSet', namespace, ref.name, signal);
  const [only, ...others] = found?.spec.volumeClaimTemplates ?? [];
  return others.length === 0 ? only?.spec.resources?.requests?.storage : undefined;
}
