import { createHash } from 'node:crypto';
import { z } from 'zod';
import { terminal } from '../../domain/failure.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import { type Compression, compressedSuffix, compressor } from '../../stream/compress.ts';
import { storeStream } from '../backup/store-stream.ts';
import type { Target } from '../backup/targets.ts';

interface Options {
  readonly targets: readonly Target[];
  readonly compression: Compression;
  readonly signal: AbortSignal;
}

/**
 * Stores the part of a server's backup manifest that an increment of it needs, not encrypted: who makes backups has no
 * identity to read the other with. It tells names and sizes of files, and nothing of what is in them.
 */
export function storeFileList(manifest: Buffer, { targets, compression, signal }: Options): Promise<StoredObject> {
  async function* input() {
    yield fileListOf(manifest);
  }
  return storeStream({
    targets: targets.map((target) => ({ ...target, encryption: undefined })),
    path: `base/file-list.json${compressedSuffix(compression)}`,
    stages: [compressor(compression)],
    input: input(),
    signal,
  });
}

const file = z.object({ Path: z.string().optional(), 'Encoded-Path': z.string().optional(), Size: z.number() });

/**
 * A manifest of the same files without the checksums and times of their content, as PostgreSQL takes it ("Backup Manifest
 * Format"). It goes line by line, as the server writes it, since numbers in it are larger than JSON.parse can hold.
 */
export function fileListOf(manifest: Buffer): Buffer {
  const lines = manifest.toString('utf8').trimEnd().split('\n').slice(0, -1);
  const body = Buffer.from(`${lines.map(shortened).join('\n')}\n`);
  const digest = createHash('sha256').update(body).digest('hex');
  return Buffer.concat([body, Buffer.from(`"Manifest-Checksum": "${digest}"}\n`)]);
}

function shortened(line: string): string {
  try {
    return withoutContent(line);
  } catch (cause) {
    throw terminal(
      'UnknownManifest',
      'The server sent a list of the files of its base backup that is not as PostgreSQL writes it. Please report this with the versions of Tidemark and PostgreSQL.',
      cause,
    );
  }
}

function withoutContent(line: string): string {
  const [, object, end] = /^(\{ "(?:Encoded-)?Path": .*\})(,?)$/.exec(line) ?? [];
  if (object === undefined) return line;
  return `${JSON.stringify(file.parse(JSON.parse(object)))}${end}`;
}
