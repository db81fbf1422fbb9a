import { stat } from 'node:fs/promises';
import { ensureImages, type ImageName } from './build.ts';

/** `node test/support/images/command.ts [NAME...]`: builds the images and prints their references. */
const names: readonly ImageName[] = [
  'operator',
  'agent',
  'postgres-13',
  'postgres-15',
  'postgres-17',
  'postgres-18',
  's3',
];
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !names.some((known) => known === name));
const begun = Date.now();
const log = (line: string) =>
  process.stderr.write(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);

if (unknown.length > 0) {
  process.stderr.write(`No such image: ${unknown.join(', ')}. There are: ${names.join(', ')}\n`);
  process.exitCode = 2;
} else {
  await build(asked.length === 0 ? names : names.filter((name) => asked.includes(name))).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}

async function build(wanted: readonly ImageName[]): Promise<void> {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
  for (const { reference, archive } of await ensureImages(wanted, { log, signal: interrupted.signal })) {
    const megabytes = ((await stat(archive)).size / 1e6).toFixed(0).padStart(5);
    process.stdout.write(`${reference}  ${megabytes} MB  ${archive}\n`);
  }
  log('Done');
}
