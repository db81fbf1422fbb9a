import { execa } from 'execa';
import { chooseWay } from './choose-way.ts';
import { layout } from './host/layout.ts';

/** An address of this host that servers can listen on and pods of the tests' cluster reach. */
export async function hostAddress(): Promise<string> {
  if ((await chooseWay()) === 'host') return layout.node;
  const network = process.env.KIND_EXPERIMENTAL_DOCKER_NETWORK ?? 'kind';
  const format = '{{range .IPAM.Config}}{{println .Gateway}}{{end}}';
  const { stdout } = await execa('docker', ['network', 'inspect', network, '--format', format]);
  const address = stdout.split('\n').find((line) => /^\d+(\.\d+){3}$/.test(line.trim()));
  if (address === undefined)
    throw new Error(`The Docker network ${network} has no IPv4 gateway by which pods would reach this host: ${stdout}`);
  return address.trim();
}
