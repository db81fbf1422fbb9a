import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { type DemoState, demoNamespace } from './demo-state.ts';

/** psql in another pod of the demo, whose roles and passwords are those of the original. */
export function inPod({ kubectl, postgres }: DemoState, pod: string): Pick<PostgresWorkload, 'psql'> {
  return {
    psql: (sql, database = 'postgres') =>
      kubectl.run(
        [
          ...['exec', '-i', pod, '--', 'env', `PGPASSWORD=${postgres.password}`],
          ...['psql', '-h', '127.0.0.1', '-U', 'postgres', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', database],
        ],
        { namespace: demoNamespace, timeoutSeconds: 600, input: sql },
      ),
  };
}
