import { z } from 'zod';
import { integer, text, time, wideInteger } from './schema.ts';

/** How far a running Job is; written every few seconds by the agent. */
export const progress = z.object({
  step: text(256).optional(),
  bytesDone: wideInteger.optional(),
  bytesTotal: wideInteger.optional(),
  percent: integer(0, 100).optional(),
  bytesPerSecond: wideInteger.optional(),
});

/**
 * The agent's last word on its own attempt: facts, from which the operator derives conditions. `retryable` tells a
 * fault that may pass by itself from one that a person must mend.
 */
export const agentReport = z.object({
  outcome: z.enum(['Running', 'Succeeded', 'Failed', 'Cancelled']),
  reason: text(128),
  message: text(4096),
  retryable: z.boolean().optional(),
  /** The Job's pod that said it. */
  pod: text(253).optional(),
  startTime: time.optional(),
  completionTime: time.optional(),
});

export type Progress = z.output<typeof progress>;
export type AgentReport = z.output<typeof agentReport>;
