import { createAgentLog } from '../agent/log.ts';
import { runAgent } from '../agent/main.ts';
import { cancelled, unforeseen } from '../agent/report-of.ts';
import { agentEnvironment } from '../domain/task.ts';
import { clientInCluster } from '../kube/in-cluster.ts';

const environment = process.env;
const log = createAgentLog({ job: environment[agentEnvironment.jobName], pod: environment[agentEnvironment.podName] });
const stopping = new AbortController();

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    log.info({ signal }, 'stopping');
    stopping.abort(cancelled());
  });
}
// What nobody catches still ends in a report, after the work was stopped and cleaned up.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    log.error({ err: error }, event);
    stopping.abort(unforeseen(error));
  });
}

process.exit(await runAgent({ environment, connect: clientInCluster, log, signal: stopping.signal }));
