import { dirname } from 'node:path';
import { operatorNamespace, release } from '../support/tidemark/install.ts';
import { type DemoState, demoNamespace } from './demo-state.ts';

/** What was backed up and restored, and the commands to look around. */
export async function printSummary(
  {
    cluster,
    kubectl,
    manual,
    scheduled,
    restore,
    comparedRows,
    base,
    recovery,
    recoveredRows,
    lastGoodMoment,
  }: DemoState,
  seconds: number,
): Promise<void> {
  const show = (...args: readonly string[]) => kubectl.run(args, { namespace: demoNamespace });
  const table = await show('get', 'backuppolicies,backupruns,restorerequests,pitrrecoveries');
  const command = `kubectl -n ${demoNamespace}`;
  process.stdout.write(`
${table}

Backed up   ${manual.metadata.name} (by hand) and ${scheduled.metadata.name} (by the schedule, nightly from now on)
Restored    ${restore.metadata.name}: dropped tables out of ${restore.status?.backupID}
Compared    ${comparedRows.toLocaleString('en')} rows and large objects: all as before
Recovered   ${recovery.metadata.name}: the server as it was at ${lastGoodMoment}, out of ${base.status?.backupID} and the WAL
Compared    ${recoveredRows.toLocaleString('en')} rows and large objects: all as at that moment
Took        ${seconds.toFixed(0)} s

The cluster is still running. Look around:
  export KUBECONFIG=${cluster.kubeconfig} PATH=${dirname(cluster.kubectl)}:$PATH
  ${command} get tidemark
  ${command} describe backuprun ${scheduled.metadata.name}
  ${command} get restorerequest ${restore.metadata.name} -o yaml
  ${command} get pitrrecovery ${recovery.metadata.name} -o yaml
  ${command} get events --sort-by .lastTimestamp
  ${command} exec -it orders-db-0 -- psql -U postgres shop
  ${command} exec -it ${recovery.metadata.name}-0 -- psql -U postgres shop
  kubectl -n ${operatorNamespace} port-forward deployment/${release} 8081     (then http://localhost:8081/ui)
Remove every trace: npm run demo:down
`);
}
