import { prepareEnvironment } from './environment.ts';

/** What `npm test` runs beside its first tiers, so that the cluster stands when the cluster tier begins. */
const begun = Date.now();
await prepareEnvironment({
  log: (line) =>
    process.stdout.write(`[environment ${((Date.now() - begun) / 1000).toFixed(0).padStart(4)} s] ${line}\n`),
});
