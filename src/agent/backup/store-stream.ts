import { type Encryption, sameEncryption } from '../../domain/encryption.ts';
import { type Failure, transient } from '../../domain/failure.ts';
import { backupPath } from '../../domain/layout.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import type { Uploaded } from '../../repository/store.ts';
import { watchForContent } from '../../stream/age-header.ts';
import { encryptedSuffix, encryptor, failureOfEncrypting } from '../../stream/encrypt.ts';
import { type Branch, fanOut } from '../../stream/fan-out.ts';
import { type Pipeline, runPipeline, type Stage } from '../../stream/pipeline.ts';
import { alive, dropTarget, type Target } from './targets.ts';

export interface StreamToStore {
  readonly targets: readonly Target[];
  /** Relative to the backup's folder, without the ending that encryption adds. */
  readonly path: string;
  /** undefined ones are left out: the compressor of `none`. */
  readonly stages: readonly (Stage | undefined)[];
  readonly input?: AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
  /** How many streams the caller stores at a time; default 1. */
  readonly concurrent?: number;
  /** Told when the processes run, so that they can be watched. */
  readonly onStart?: (pipeline: Pipeline) => void;
}

/**
 * Stores what a pipeline writes in every repository at once, encrypted as each asks for it: nothing of a backup but its
 * manifest goes another way. A repository that fails is dropped and the others go on, at the pace of the slowest; where a
 * process fails, or the last repository, that ends all of it and is the error. Every process has ended when this settles.
 * Gives what the first of the repositories has; each target knows what its own has.
 */
export async function storeStream(request: StreamToStore): Promise<StoredObject> {
  const { stages, input, signal, onStart } = request;
  const living = alive(request.targets);
  const groups = byEncryption(living);
  const stopping = new AbortController();
  const either = AbortSignal.any([signal, stopping.signal]);
  // For one kind of encryption, the processes hand over to one another without this one between.
  const shared = groups.length === 1 ? groups[0]?.encryption : undefined;
  const present = [...stages, ...(shared === undefined ? [] : [encryptor(shared)])].filter(
    (stage) => stage !== undefined,
  );
  const pipeline =
    present.length === 0
      ? undefined
      : runPipeline(present, { signal: either, ...(input === undefined ? {} : { input }) });
  if (pipeline !== undefined) onStart?.(pipeline);
  const body = pipeline?.output ?? input;
  if (body === undefined) throw new Error('neither a process nor an input to store');
  const source = watchFailure(body);
  const branches = fanOut(source.stream, groups.length);
  // All repositories together have the memory that one would have.
  const concurrent = (request.concurrent ?? 1) * living.length;
  const work: Work = { ...request, concurrent, stopping, either, sourceFailure: source.failure };
  const stored = await Promise.all(
    groups.map(async (group, index) => {
      const branch = branches[index];
      if (branch === undefined) throw new Error('repositories without a stream');
      return await storeGroup({ ...group, branch, isPacked: shared !== undefined }, work);
    }),
  );
  await pipeline?.finished.catch(() => undefined);
  signal.throwIfAborted();
  stopping.signal.throwIfAborted();
  for (const each of stored.flat()) each.target.copy.stored(each.object);
  alive(request.targets);
  const [first] = stored.flat();
  if (first === undefined) throw new Error('a backup that is stored nowhere');
  return first.object;
}

interface Group {
  readonly encryption: Encryption | undefined;
  readonly targets: readonly Target[];
}

/** Those that get the same bytes. */
function byEncryption(targets: readonly Target[]): readonly Group[] {
  const groups: { encryption: Encryption | undefined; targets: Target[] }[] = [];
  for (const target of targets) {
    const known = groups.find(({ encryption }) => sameEncryption(encryption, target.encryption));
    if (known === undefined) groups.push({ encryption: target.encryption, targets: [target] });
    else known.targets.push(target);
  }
  return groups;
}

interface Work extends StreamToStore {
  readonly stopping: AbortController;
  readonly either: AbortSignal;
  readonly sourceFailure: () => { readonly error: unknown } | undefined;
}

interface GroupToStore extends Group {
  readonly branch: Branch;
  /** It comes encrypted. */
  readonly isPacked: boolean;
}

interface StoredIn {
  readonly target: Target;
  readonly object: StoredObject;
}

async function storeGroup(group: GroupToStore, work: Work): Promise<readonly StoredIn[]> {
  const { encryption, targets, branch, isPacked } = group;
  const ending = new AbortController();
  const signal = AbortSignal.any([work.either, ending.signal]);
  const encrypting =
    encryption === undefined || isPacked ? undefined : runPipeline([encryptor(encryption)], { signal, input: branch });
  const packed = encrypting?.output ?? branch;
  const content = encryption === undefined ? undefined : watchForContent(packed);
  const bodies = fanOut(content?.stream ?? packed, targets.length);
  const path = encryption === undefined ? work.path : `${work.path}${encryptedSuffix(encryption)}`;
  try {
    const results = await Promise.all(
      targets.map(async (target, index) => {
        const body = bodies[index];
        const uploaded = body === undefined ? undefined : await uploadTo(target, path, body, work);
        return uploaded === undefined ? [] : [{ target, object: { path, ...uploaded } }];
      }),
    );
    const stored = results.flat();
    const wrong = stored.length === 0 ? undefined : wrongContent(path, stored, content?.hadContent());
    if (wrong !== undefined) work.stopping.abort(wrong);
    return stored;
  } finally {
    ending.abort();
    branch.leave();
    await encrypting?.finished.catch(() => undefined);
  }
}

/** undefined where that failed; what does not concern this repository alone ends all. */
async function uploadTo(
  target: Target,
  path: string,
  body: Branch,
  { targets, either, stopping, concurrent = 1, sourceFailure }: Work,
): Promise<Uploaded | undefined> {
  try {
    const { size, sha256 } = await target.store.upload(`${backupPath(target.location)}/${path}`, body, {
      signal: either,
      concurrent,
    });
    return { size, sha256 };
  } catch (error) {
    const why = sourceFailure()?.error;
    try {
      if (why !== undefined) throw failureOfEncrypting(why) ?? why;
      dropTarget(targets, target, failureOfEncrypting(error) ?? error, either);
    } catch (end) {
      stopping.abort(end);
    }
    return undefined;
  } finally {
    body.leave();
  }
}

/** What makes none of it usable, though every upload succeeded. */
function wrongContent(path: string, stored: readonly StoredIn[], hadContent: boolean | undefined): Failure | undefined {
  const [first, ...others] = stored.map(({ object }) => object);
  if (first === undefined || others.some(({ sha256 }) => sha256 !== first.sha256))
    return transient('ChecksumMismatch', `${path} was stored with different content in different repositories.`);
  // Neither a dump nor a list nor a packed anything is empty: bytes were lost on the way.
  if (first.size > 0 && hadContent !== false) return undefined;
  return transient(
    'EmptyObject',
    `Nothing arrived for ${path}, though every process succeeded. Start the backup again.`,
  );
}

/** What fails before any repository is no failure of theirs. */
function watchFailure(source: AsyncIterable<Buffer>): {
  readonly stream: AsyncIterable<Buffer>;
  readonly failure: () => { readonly error: unknown } | undefined;
} {
  let failure: { readonly error: unknown } | undefined;
  async function* pass() {
    try {
      yield* source;
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  return { stream: pass(), failure: () => failure };
}
