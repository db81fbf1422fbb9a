import { pack } from 'tar-stream';

/** A tar of these members, with its end. */
export async function writeTar(members: Iterable<readonly [name: string, content: Buffer]>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of members) tar.entry({ name }, content);
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
