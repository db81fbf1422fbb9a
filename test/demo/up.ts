import { Listr, PRESET_TIMER } from 'listr2';
import { ensureNamespace, prepareCluster } from '../support/tidemark/environment.ts';
import { installTidemark, operatorNamespace } from '../support/tidemark/install.ts';
import { kubectlFor } from '../support/tidemark/kubectl.ts';
import { startPostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { startS3Workload } from '../support/tidemark/s3-workload.ts';
import { backupByHand, waitForSchedule } from './backups.ts';
import { type DemoState, demoNamespace, s3Namespace } from './demo-state.ts';
import { loadData } from './load-data.ts';
import { createPolicy } from './policy.ts';
import { backupPhysically, compareMoment, deleteByAccident, recoverToMoment } from './recover.ts';
import { compareRows, dropTables, restoreTables } from './restore.ts';
import { printSummary } from './summary.ts';

/** `npm run demo`: from a bare machine to a proven backup, each step shown as it goes. The cluster stays up afterwards. */
const begun = Date.now();

const tasks = new Listr<DemoState>(
  [
    {
      title: 'Cluster, and images built from images/*/Containerfile',
      task: async (state, task) => {
        const log = (line: string) => {
          task.output = line;
        };
        const { cluster, references } = await prepareCluster({
          log,
          images: ['operator', 'agent', 'postgres-17', 's3'],
        });
        state.cluster = cluster;
        state.images = references;
        state.kubectl = kubectlFor(cluster.kubectl, cluster.kubeconfig);
      },
    },
    {
      title: 'Operator, installed with Helm',
      task: async ({ cluster, images, kubectl }, task) => {
        const log = (line: string) => {
          task.output = line;
        };
        // As the tests have it, which the demo must not change on a cluster that both use.
        const values = ['ui.enabled=true'];
        await installTidemark({ kubectl, helm: cluster.helm, kubeconfig: cluster.kubeconfig, images, log, values });
        task.title = `${task.title} into ${operatorNamespace}`;
      },
    },
    {
      title: `S3 server (namespace ${s3Namespace}) and PostgreSQL 17 (namespace ${demoNamespace})`,
      task: async (state) => {
        await Promise.all([ensureNamespace(state.kubectl, s3Namespace), ensureNamespace(state.kubectl, demoNamespace)]);
        const image = (name: string) => state.images[name] ?? '';
        const password = await existingPassword(state);
        [state.s3, state.postgres] = await Promise.all([
          startS3Workload(state.kubectl, s3Namespace, image('s3')),
          startPostgresWorkload(state.kubectl, {
            namespace: demoNamespace,
            name: 'orders-db',
            image: image('postgres-17'),
            password,
            storage: '5Gi',
          }),
        ]);
      },
    },
    { title: 'Real data: pgbench and a shop', task: loadData },
    { title: 'BackupRepository and BackupPolicy, with WAL archiving', task: createPolicy },
    {
      title: 'Backups',
      task: (_, task) =>
        task.newListr([
          { title: 'A backup made by hand (BackupRun)', task: backupByHand },
          { title: 'A backup made by the schedule', task: waitForSchedule },
        ]),
    },
    { title: 'The accident: tables are dropped', task: dropTables },
    { title: 'The rescue: a RestoreRequest for these tables', task: restoreTables },
    { title: 'Every row compared with what was there before', task: compareRows },
    { title: 'A physical backup, while the WAL is archived', task: backupPhysically },
    { title: 'The worse accident: DELETE without WHERE', task: deleteByAccident },
    { title: 'The moment before: a PitrRecovery into a new instance', task: recoverToMoment },
    { title: 'Every row compared with that moment', task: compareMoment },
  ],
  {
    ctx: {} as DemoState,
    rendererOptions: { collapseSubtasks: false, timer: PRESET_TIMER },
    fallbackRenderer: 'simple',
    fallbackRendererOptions: { timer: PRESET_TIMER },
  },
);

const state = await tasks.run();
await printSummary(state, (Date.now() - begun) / 1000);

/** A second run finds the server with the password of the first. */
async function existingPassword({ kubectl }: DemoState): Promise<string> {
  const secret = await kubectl.get<{ data: { password: string } }>('secret', 'orders-db', demoNamespace);
  return secret === undefined ? crypto.randomUUID() : Buffer.from(secret.data.password, 'base64').toString();
}
