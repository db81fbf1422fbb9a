import { backupRefusals } from './backup-refusals.ts';
import type { Refusal } from './refusal.ts';
import { repositoryRefusals } from './repository-refusals.ts';
import { restoreRefusals } from './restore-refusals.ts';

/** Every rule of every spec; the messages are those that the API server prints. */
export const refusals: readonly Refusal[] = [...repositoryRefusals, ...backupRefusals, ...restoreRefusals];
