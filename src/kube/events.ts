import { createHash } from 'node:crypto';
import { isAlreadyExists, isNamespaceTerminating, isNotFound } from './api-error.ts';
import type { KubeClient, KubeObject } from './client.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { microTime } from './micro-time.ts';
import { resourcePath } from './paths.ts';

export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, stable. */
  readonly reason: string;
  /** What was done or tried: CamelCase, as in Backup, Restore. */
  readonly action: string;
  readonly note: string;
}

export interface RecorderOptions {
  readonly client: KubeClient;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
}

type Regarded = KubeObject & { readonly apiVersion: string; readonly kind: string };

interface Known {
  readonly name: string;
  count: number;
  /** Resolves, never rejects, when the writes before are done: the count goes up one at a time. */
  writing: Promise<void>;
}

const controller = 'tidemark.dev/operator';
/** In bytes, for the API server; an ellipsis has three. */
const longestNote = 1024;
const remembered = 4096;
/** An Event is not worth more of a reconcile's time. */
const timeout = 5_000;

/** Writes Events (events.k8s.io/v1). The same words about the same object are one Event, counted. Never throws. */
export class EventRecorder {
  readonly #options: RecorderOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  async record(object: Regarded, event: EventNote): Promise<void> {
    const note = cut(event.note);
    const key = `${object.metadata.uid} ${event.reason} ${note}`;
    const known = this.#known.get(key) ?? this.#remember(key, object);
    known.writing = known.writing.then(() => this.#write(known, object, { ...event, note }));
    await known.writing;
  }

  async #write(known: Known, object: Regarded, event: EventNote): Promise<void> {
    try {
      if (known.count > 0 && (await this.#count(known, object))) return;
      await this.#create(known.name, object, event);
      known.count = 1;
    } catch (error) {
      const { name } = object.metadata;
      const level = isNamespaceTerminating(error) ? 'debug' : 'warn';
      this.#options.log[level]({ err: error, reason: event.reason, object: name }, 'An Event could not be written');
    }
  }

  /** False where the Event is gone: the API server keeps them for an hour. */
  async #count(known: Known, object: Regarded): Promise<boolean> {
    const { client, clock } = this.#options;
    try {
      await client.request('PATCH', resourcePath('Event', { namespace: namespaceOf(object), name: known.name }), {
        body: { series: { count: known.count + 1, lastObservedTime: microTime(clock.now()) } },
        contentType: 'application/merge-patch+json',
        timeout,
      });
      known.count += 1;
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async #create(name: string, object: Regarded, event: EventNote): Promise<void> {
    const { client, clock, instance } = this.#options;
    const { apiVersion, kind, metadata } = object;
    const namespace = namespaceOf(object);
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace },
      eventTime: microTime(clock.now()),
      reportingController: controller,
      reportingInstance: instance.slice(0, 128),
      ...event,
      regarding: { apiVersion, kind, name: metadata.name, namespace: metadata.namespace, uid: metadata.uid },
    };
    try {
      await client.request('POST', resourcePath('Event', { namespace }), { body, timeout });
    } catch (error) {
      // Said before by an earlier leader: once is enough.
      if (!isAlreadyExists(error)) throw error;
    }
  }

  #remember(key: string, object: Regarded): Known {
    const mark = createHash('sha256').update(key).digest('hex').slice(0, 16);
    const base = object.metadata.name.slice(0, 200).replace(/[^a-z0-9]+$/, '');
    const known: Known = { name: `${base}.${mark}`, count: 0, writing: Promise.resolve() };
    if (this.#known.size >= remembered) this.#known.delete(this.#known.keys().next().value ?? '');
    this.#known.set(key, known);
    return known;
  }
}

function namespaceOf(object: Regarded): string {
  return object.metadata.namespace ?? 'default';
}

function cut(note: string): string {
  if (Buffer.byteLength(note) <= longestNote) return note;
  const bytes = Buffer.from(note).subarray(0, longestNote - 3);
  // A character that was cut through is left out.
  return `${new TextDecoder().decode(bytes, { stream: true })}…`;
}
