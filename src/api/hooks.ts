import { z } from 'zod';
import {
  argument,
  exactlyOne,
  formed,
  integer,
  list,
  listMap,
  objectName,
  ruled,
  secretKeyRef,
  text,
  time,
} from './schema.ts';

const exec = z.object({ container: objectName.optional(), command: list(argument(4096), 64, 1) });
const headerName = formed(
  '^[A-Za-z0-9][-A-Za-z0-9_]*$',
  128,
  'must be the name of a header: letters, digits, - _, such as Authorization',
);
const http = z.object({
  url: formed('^https?://[^ \\x00-\\x1f]+$', 2048, 'must be an http or https URL'),
  method: z.enum(['GET', 'POST', 'PUT', 'HEAD']).default('POST'),
  headers: listMap(z.object({ name: headerName, secretKeyRef }), 'name', 8).optional(),
  caSecretRef: secretKeyRef.optional(),
});
const hookFields = {
  exec: exec.optional(),
  http: http.optional(),
  timeoutSeconds: integer(1, 86_400).default(60),
  onError: z.enum(['Fail', 'Continue']).default('Fail'),
};
const preBackup = ruled(z.object(hookFields), exactlyOne('exec', 'http'));
const postBackup = ruled(
  z.object({ ...hookFields, when: z.enum(['Always', 'OnSuccess', 'OnFailure']).default('Always') }),
  exactlyOne('exec', 'http'),
);

export const hooks = z.object({
  preBackup: list(preBackup, 16).default([]),
  postBackup: list(postBackup, 16).default([]),
});

/** How a run ended, in so far as it decides which hooks come after it. */
export const hookPhase = z.enum(['Completed', 'Failed', 'Cancelled']);

const hookResult = z.object({
  /** Which one: preBackup[0]. */
  hook: text(32, 1),
  /** What it does, without anything that may be secret: `POST to hc.example.com`. */
  what: text(512).optional(),
  onError: hookFields.onError.unwrap().optional(),
  state: z.enum(['Pending', 'Running', 'Succeeded', 'Failed']),
  message: text(1024).optional(),
  startTime: time.optional(),
  seconds: integer(0, 2_147_483_647).optional(),
});

export const hooksStatus = z.object({
  /** How the run had ended for those that came after it; absent as long as none has. */
  phase: hookPhase.optional(),
  /** Where commands ran. */
  pod: text(253).optional(),
  results: listMap(hookResult, 'hook', 32).optional(),
});

export type Hooks = z.output<typeof hooks>;
export type PostHook = Hooks['postBackup'][number];
export type Hook = Hooks['preBackup'][number];
export type HookPhase = z.output<typeof hookPhase>;
export type HookResult = z.output<typeof hookResult>;
export type HooksStatus = z.output<typeof hooksStatus>;
