import { ensureArgoProgram } from '../gitops/argocd.ts';
import { ensureFluxProgram } from '../gitops/flux.ts';
import { ensureKrew } from '../krew/program.ts';
import { prepareEnvironment } from './environment.ts';

/** What `npm test` runs beside its first tiers, so that the cluster stands when the cluster tier begins. */
const begun = Date.now();
const log = (line: string) =>
  process.stdout.write(`[environment ${((Date.now() - begun) / 1000).toFixed(0).padStart(4)} s] ${line}\n`);
await prepareEnvironment({ log });
await ensureKrew(log);
await ensureFluxProgram(log);
await ensureArgoProgram(log);
