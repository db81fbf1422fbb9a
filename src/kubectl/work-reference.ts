import { exitCode, Stop, usage } from './exit-code.ts';
import { find, get, type Work, type WorkKind } from './objects.ts';
import type { Session } from './session.ts';

const kinds: readonly WorkKind[] = ['BackupRun', 'RestoreRequest', 'PitrRecovery'];
const prefixes: Readonly<Record<string, WorkKind>> = {
  ...{ run: 'BackupRun', brun: 'BackupRun', backuprun: 'BackupRun', backupruns: 'BackupRun' },
  ...{ restore: 'RestoreRequest', rreq: 'RestoreRequest', restorerequest: 'RestoreRequest' },
  ...{ restorerequests: 'RestoreRequest', recovery: 'PitrRecovery', drill: 'PitrRecovery', pitr: 'PitrRecovery' },
  ...{ pitrrecovery: 'PitrRecovery', pitrrecoveries: 'PitrRecovery' },
};

/** `kind/name`, or a name alone where only one kind has it. */
export async function findWork(session: Session, reference: string): Promise<Work> {
  const { kind, name } = parseReference(reference);
  if (kind !== undefined) return await get(session, kind, name);
  const found = (await Promise.all(kinds.map((each) => find(session, each, name)))).filter(
    (work) => work !== undefined,
  );
  const [only] = found;
  if (only === undefined)
    throw new Stop(
      exitCode.refused,
      `No BackupRun, RestoreRequest or PitrRecovery ${name} is in the namespace ${session.namespace}. kubectl get tidemark --namespace ${session.namespace} lists what is there.`,
    );
  if (found.length === 1) return only;
  throw usage(
    `${name} is several things: say which, ${found.map((work) => `${work.kind.toLowerCase()}/${name}`).join(' or ')}.`,
  );
}

export function parseReference(reference: string): { readonly kind: WorkKind | undefined; readonly name: string } {
  const slash = reference.indexOf('/');
  if (slash === -1) return { kind: undefined, name: reference };
  const prefix = reference.slice(0, slash).toLowerCase();
  const kind = Object.hasOwn(prefixes, prefix) ? prefixes[prefix] : undefined;
  if (kind === undefined)
    throw usage(`${JSON.stringify(prefix)} is no kind that has a Job: say run/, restore/ or recovery/ and the name.`);
  return { kind, name: reference.slice(slash + 1) };
}
