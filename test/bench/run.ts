import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import setUpServers from '../support/postgres/global-setup.ts';
import { type Environment, prepareEnvironment } from '../support/tidemark/environment.ts';
import { benchCompression } from './compression.ts';
import { benchDump, type Size } from './dump.ts';
import { benchEncryption } from './encryption.ts';
import type { Figure } from './figure.ts';
import { benchIncremental } from './incremental.ts';
import { benchListing } from './listing.ts';
import { benchOperator } from './operator.ts';
import { benchPhysical } from './physical.ts';
import { benchSeveral } from './several.ts';
import { benchStart } from './start.ts';

/**
 * `npm run bench -- [dump] [encryption] [compression] [several] [physical] [incremental] [operator] [start] [listing] [--size small|full]`: figures, not a test. It fails on faults, never on a slow
 * figure; docs/benchmarks.md says what is measured.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { size: { type: 'string', default: 'full' } },
});
const parts =
  positionals.length > 0
    ? positionals
    : ['dump', 'encryption', 'compression', 'several', 'physical', 'incremental', 'operator', 'start', 'listing'];
if (values.size !== 'full' && values.size !== 'small')
  throw new Error(`--size is ${values.size}; it may be full or small`);
const size: Size = values.size;
const begun = Date.now();
const log = (line: string) =>
  process.stderr.write(`${((Date.now() - begun) / 1000).toFixed(0).padStart(5)} s  ${line}\n`);

const figures: Figure[] = [];
let environment: Environment | undefined;
if (parts.includes('dump')) figures.push(...(await onServers(() => benchDump(size, log))));
if (parts.includes('encryption')) figures.push(...(await onServers(() => benchEncryption(size, log))));
if (parts.includes('compression')) figures.push(...(await onServers(() => benchCompression(size, log))));
if (parts.includes('several')) figures.push(...(await onServers(() => benchSeveral(size, log))));
if (parts.includes('physical')) figures.push(...(await onServers(() => benchPhysical(size, log))));
if (parts.includes('incremental')) figures.push(...(await onServers(() => benchIncremental(size, log))));
if (parts.includes('operator') || parts.includes('start')) environment = await prepareEnvironment({ log });
if (parts.includes('operator') && environment !== undefined) figures.push(...(await benchOperator(environment, log)));
if (parts.includes('start') && environment !== undefined) figures.push(...(await benchStart(environment, log)));

if (parts.includes('listing')) figures.push(...(await benchListing(size, log)));

const width = Math.max(...figures.map(({ what }) => what.length));
process.stdout.write(
  `\n${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}; one run\n\n`,
);
for (const { what, value } of figures) process.stdout.write(`${what.padEnd(width)}  ${value}\n`);

async function onServers(bench: () => Promise<readonly Figure[]>): Promise<readonly Figure[]> {
  const tearDown = await setUpServers();
  try {
    return await bench();
  } finally {
    await tearDown();
  }
}
