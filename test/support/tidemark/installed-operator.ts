import { operatorNamespace, release } from './install.ts';
import type { Kubectl } from './kubectl.ts';
import { until } from './until.ts';

/** For a test with operators of its own; resolves when the installed one has gone. */
export async function takeOperatorAway(kubectl: Kubectl): Promise<void> {
  await scale(kubectl, 0);
  const pods = () => kubectl.list('pods', operatorNamespace, 'app.kubernetes.io/name=tidemark');
  await until('the operator to be gone', async () => (await pods()).length === 0, { seconds: 180 });
}

/** As many as the chart has. Whoever needs it waits for what it does. */
export async function giveOperatorBack(kubectl: Kubectl): Promise<void> {
  await scale(kubectl, 2);
}

/** A run that was killed may have left the operator away, and Helm leaves a number alone that it did not change. */
export async function giveOperatorBackIfAway(kubectl: Kubectl): Promise<void> {
  const deployment = await kubectl.get<{ spec: { replicas: number } }>('deployment', release, operatorNamespace);
  if (deployment?.spec.replicas === 0) await giveOperatorBack(kubectl);
}

async function scale(kubectl: Kubectl, replicas: number): Promise<void> {
  await kubectl.run(['scale', 'deployment', release, `--replicas=${replicas}`], { namespace: operatorNamespace });
}
