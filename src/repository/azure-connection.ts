import { AnonymousCredential, ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { type Attempt, createAttempts, type Timings, usualTimings } from './attempts.ts';
import type { AzureAccess } from './azure-credentials.ts';
import { azureFailure } from './azure-failure.ts';
import { renewing } from './secret-files.ts';

export interface AzureSettings {
  readonly container: string;
  /** '' or without slashes at its ends. */
  readonly prefix: string;
  /** Read again from time to time: a renewed Secret is used within a minute. */
  readonly access: () => Promise<AzureAccess>;
  /** For messages: `the Secret x`. */
  readonly credentialsFrom: string;
}

export interface AzureCall {
  readonly operation: string;
  readonly key?: string | undefined;
  readonly signal: AbortSignal;
  readonly completing?: boolean;
}

export interface AzureConnection {
  readonly settings: AzureSettings;
  readonly timings: Timings;
  /** The blob's whole name in the container. */
  readonly fullKey: (key: string) => string;
  /** For messages. */
  readonly nameOf: (key: string | undefined) => string;
  /** Runs one request, repeated where it fails and may pass; every error is a Failure. */
  readonly run: <T>(call: AzureCall, send: (container: ContainerClient, attempt: Attempt) => Promise<T>) => Promise<T>;
}

export function connectAzure(settings: AzureSettings, timings: Timings = usualTimings): AzureConnection {
  const { container, prefix, credentialsFrom } = settings;
  const client = renewing(settings.access, (access) => openContainer(access, container));
  const attempts = createAttempts(timings);
  const fullKey = (key: string) => (prefix === '' ? key : `${prefix}/${key}`);
  const nameOf = (key: string | undefined) =>
    `azure://${container}${key === undefined ? (prefix === '' ? '' : `/${prefix}`) : `/${fullKey(key)}`}`;
  return {
    settings,
    timings,
    fullKey,
    nameOf,
    run({ operation, key, signal, completing }, send) {
      const what = `${operation} ${nameOf(key)}`;
      let endpoint = 'Azure';
      return attempts(
        {
          what,
          signal,
          completing,
          explain: (error) => azureFailure(error, { what, operation, container, endpoint, credentialsFrom }),
        },
        async (attempt) => {
          const { url, opened } = await client();
          endpoint = url;
          return send(opened, attempt);
        },
      );
    },
  };
}

function openContainer(access: AzureAccess, container: string) {
  const { url, credential } = access;
  // Attempts and their pauses are ours (attempts.ts): one place that knows when to give up.
  const options = { retryOptions: { maxTries: 1 } };
  const target = `${url.replace(/\/$/, '')}/${container}`;
  const opened = (() => {
    if (credential.kind === 'sas')
      return new ContainerClient(`${target}?${credential.token}`, new AnonymousCredential(), options);
    if (credential.kind === 'key')
      return new ContainerClient(target, new StorageSharedKeyCredential(credential.account, credential.key), options);
    return new ContainerClient(target, { getToken: () => credential.getToken() }, options);
  })();
  return { url, opened };
}
