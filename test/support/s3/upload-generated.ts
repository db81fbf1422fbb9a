import { randomBytes } from 'node:crypto';
import { openS3 } from './open.ts';

// Run as a process of its own: uploads, then downloads, so many bytes, and prints its peak of resident memory.
const [endpoint = '', accessKey = '', secretKey = '', bucket = '', bytes = '0'] = process.argv.slice(2);
const size = Number(bytes);
const { signal } = new AbortController();

async function* generate() {
  // Many small chunks of shared slabs: what a pipe gives, and what once made uploaders keep the whole stream.
  const noise = randomBytes(1024 ** 2);
  for (let made = 0; made < size; made += 8192) {
    const chunk = Buffer.allocUnsafe(8192);
    noise.copy(chunk, 0, made % (noise.length - 8192));
    yield chunk;
  }
}

const seconds = async (work: () => Promise<void>) => {
  const begun = performance.now();
  await work();
  return Math.round((performance.now() - begun) / 100) / 10;
};
const peakMebibytes = () => Math.round(process.resourceUsage().maxRSS / 1024);

const store = openS3({ endpoint, accessKey, secretKey, bucket });
const idle = peakMebibytes();
const upload = await seconds(async () => void (await store.upload('generated', generate(), { signal })));
const uploadPeak = peakMebibytes();
let read = 0;
const download = await seconds(async () => {
  for await (const chunk of await store.download('generated', { signal })) read += chunk.length;
});
await store.close();
process.stdout.write(
  `${JSON.stringify({ size, read, idle, upload, uploadPeak, download, downloadPeak: peakMebibytes() })}\n`,
);
