import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { corrupted } from './corrupted.ts';

/** PostgreSQL, "Backup Manifest Format". */
const backupManifest = z.object({
  Files: z.array(z.object({ Path: z.string().optional(), 'Encoded-Path': z.string().optional(), Size: z.number() })),
});

const atOnce = 64;

/** Every file that the server put into the backup is there, in its size. What is in them the chunks' digests have told. */
export async function checkFiles(dataDirectory: string, text: string, backup: string): Promise<void> {
  const files = parseFiles(text, backup);
  const wrong: string[] = [];
  for (let index = 0; index < files.length; index += atOnce) {
    const found = await Promise.all(files.slice(index, index + atOnce).map((file) => compare(dataDirectory, file)));
    wrong.push(...found.filter((one) => one !== undefined));
  }
  if (wrong.length === 0) return;
  throw corrupted(
    `${wrong.length} of the ${files.length} files that backup ${backup} should hold are not as the server listed them, such as ${wrong.slice(0, 3).join('; ')}.`,
  );
}

interface ListedFile {
  readonly path: Buffer;
  readonly size: number;
}

export function parseFiles(text: string, backup: string): readonly ListedFile[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const result = backupManifest.safeParse(value);
  if (!result.success) {
    throw corrupted(`the server's list of files in backup ${backup} is not what PostgreSQL writes.`, result.error);
  }
  return result.data.Files.map((file) => ({
    path: file.Path === undefined ? Buffer.from(file['Encoded-Path'] ?? '', 'hex') : Buffer.from(file.Path),
    size: file.Size,
  }));
}

async function compare(dataDirectory: string, { path, size }: ListedFile): Promise<string | undefined> {
  const name = path.toString('utf8');
  try {
    const found = await stat(Buffer.concat([Buffer.from(`${dataDirectory}/`), path]));
    return found.size === size ? undefined : `${name} has ${found.size} bytes instead of ${size}`;
  } catch {
    return `${name} is missing`;
  }
}
