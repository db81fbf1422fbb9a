import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terminal } from '../../../domain/failure.ts';
import type { RecoverTask } from '../../../domain/task.ts';
import { followPrimary } from './settings-file.ts';

export interface StandbyCredentials {
  readonly username: string;
  readonly password: string;
}

/** Of the server to follow; asked for before anything is touched. */
export async function readStandbyCredentials(
  task: RecoverTask,
  folder: string,
): Promise<StandbyCredentials | undefined> {
  if (task.standbyOf === undefined) return undefined;
  const { credentialsSecretName: name } = task.standbyOf;
  const read = async (key: string) => {
    try {
      return (await readFile(join(folder, key), 'utf8')).replace(/\r?\n$/, '');
    } catch (cause) {
      throw terminal(
        'MissingSecret',
        `Secret ${task.namespace}/${name} of target.instance.standbyOf has no key ${key}, or does not exist. Make it with: kubectl -n ${task.namespace} create secret generic ${name} --type=kubernetes.io/basic-auth --from-literal=username=<role> --from-literal=password=<password>`,
        cause,
      );
    }
  };
  const credentials = { username: await read('username'), password: await read('password') };
  if (!Object.values(credentials).some((value) => /[\r\n\0]/.test(value))) return credentials;
  throw terminal(
    'UnusablePassword',
    `Secret ${task.namespace}/${name} of target.instance.standbyOf has a line break or a zero byte in its username or password, which no line of postgresql.auto.conf can hold. Give the role another one.`,
  );
}

/** The data directory of a server that goes on following its primary when it is started. */
export async function leaveStandby(
  dataDirectory: string,
  { host, port }: NonNullable<RecoverTask['standbyOf']>,
  credentials: StandbyCredentials,
): Promise<void> {
  await followPrimary(dataDirectory, { host, port, ...credentials });
  await rm(join(dataDirectory, 'recovery.signal'), { force: true });
  await writeFile(join(dataDirectory, 'standby.signal'), '', { mode: 0o600 });
}
