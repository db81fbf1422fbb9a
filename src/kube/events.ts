import { createHash } from 'node:crypto';
import type { KubeClient, KubeObject } from './client.ts';
import { isAlreadyExists } from './api-error.ts';
import type { Clock } from './clock.ts';
import { microTime } from './lease.ts';
import type { Log } from './log.ts';
import { resourcePath } from './paths.ts';

export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, stable. */
  readonly reason: string;
  /** What was done or tried: CamelCase, as in Backup, Restore. */
  readonly action: string;
  readonly note: string;
}

interface RecorderOptions {
  readonly client: KubeClient;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
}

const controller = 'tidemark.dev/operator';
const longestNote = 1024;
const remembered = 4096;

/** Writes Events (events.k8s.io/v1). The same words about the same object are one Event, counted. Never throws. */
export class EventRecorder {
  readonly #options: RecorderOptions;
  readonly #known = new Map<string, { readonly name: string; count: number }>();

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  async record(object: KubeObject & { readonly apiVersion: string; readonly kind: string }, event: EventNote): Promise<void> {
    const { log } = this.#options;
    try {
      await this.#write(object, event);
    } catch (error) {
      log.warn({ err: error, reason: event.reason, object: object.metadata.name }, 'An Event could not be written');
    }
  }

  async #write(object: KubeObject & { readonly apiVersion: string; readonly kind: string }, event: EventNote): Promise<void> {
    const { client, clock } = this.#options;
    const namespace = object.metadata.namespace ?? 'default';
    const note = event.note.length > longestNote ? `${event.note.slice(0, longestNote - 1)}…` : event.note;
    const mark = createHash('sha256').update(`${object.metadata.uid} ${event.reason} ${note}`).digest('hex').slice(0, 16);
    const known = this.#known.get(mark);
    if (known !== undefined) {
      known.count += 1;
      await client.request('PATCH', resourcePath('Event', { namespace, name: known.name }), {
        body: { series: { count: known.count, lastObservedTime: microTime(clock.now()) } },
        contentType: 'application/merge-patch+json',
      });
      return;
    }
    const name = `${object.metadata.name.slice(0, 200)}.${mark}`;
    await this.#create(object, { ...event, note }, name, namespace);
    this.#remember(mark, name);
  }

  async #create(object: KubeObject & { readonly apiVersion: string; readonly kind: string }, event: EventNote, name: string, namespace: string): Promise<void> {
    const { client, clock, instance } = this.#options;
    const { apiVersion, kind, metadata } = object;
    try {
      await client.request('POST', resourcePath('Event', { namespace }), {
        body: {
          apiVersion: 'events.k8s.io/v1',
          kind: 'Event',
          metadata: { name, namespace },
          eventTime: microTime(clock.now()),
          reportingController: controller,
          reportingInstance: instance,
          ...event,
          regarding: { apiVersion, kind, name: metadata.name, namespace: metadata.namespace, uid: metadata.uid },
        },
      });
    } catch (error) {
      // Said before by an earlier leader: once is enough.
      if (!isAlreadyExists(error)) throw error;
    }
  }

  #remember(mark: string, name: string): void {
    if (this.#known.size >= remembered) this.#known.delete(this.#known.keys().next().value ?? '');
    this.#known.set(mark, { name, count: 1 });
  }
}
