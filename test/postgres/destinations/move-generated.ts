import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { openStore } from '../../../src/repository/open.ts';

// Run as a process of its own: uploads, then downloads, so many bytes, and prints its peak of resident memory.
const [spec = '', mountRoot = '', bytes = '0'] = process.argv.slice(2);
const size = Number(bytes);
const { signal } = new AbortController();

async function* generate() {
  for (let made = 0; made < size; made += 8192) yield Buffer.allocUnsafe(8192).fill(made % 251);
}

const peakMebibytes = () => Math.round(process.resourceUsage().maxRSS / 1024);
const store = await openStore({ name: 'offsite', spec: backupRepositorySpec.parse(JSON.parse(spec)) }, 0, {
  mountRoot,
});
const idle = peakMebibytes();
await store.upload('generated', generate(), { signal });
const uploadPeak = peakMebibytes();
let read = 0;
for await (const chunk of await store.download('generated', { signal })) read += chunk.length;
await store.close();
process.stdout.write(`${JSON.stringify({ read, idle, uploadPeak, downloadPeak: peakMebibytes() })}\n`);
