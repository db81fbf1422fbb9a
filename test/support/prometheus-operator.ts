import { join } from 'node:path';
import { execa } from 'execa';
import { goToolchain } from './cluster/go.ts';

const module = 'github.com/prometheus-operator/prometheus-operator@v0.85.0';

/** The definitions of the Prometheus operator's kinds that the chart can make objects of: its own files, from its Go module. */
export async function prometheusOperatorDefinitions(): Promise<readonly string[]> {
  const go = await goToolchain(() => undefined);
  const { stdout } = await execa(go.path, ['mod', 'download', '-json', module], { env: go.environment });
  const { Dir: folder } = JSON.parse(stdout) as { readonly Dir: string };
  return ['servicemonitors', 'prometheusrules'].map((plural) =>
    join(folder, 'example/prometheus-operator-crd', `monitoring.coreos.com_${plural}.yaml`),
  );
}
