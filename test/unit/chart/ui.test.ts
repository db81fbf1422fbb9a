import { beforeAll, describe, expect, it } from 'vitest';
import { helm, type Rendered, render } from '../../support/chart/render.ts';

// The first run on a machine builds Helm.
beforeAll(async () => {
  await helm();
}, 900_000);

const proxied = [
  'ui.enabled=true',
  'ui.service.enabled=true',
  'networkPolicy.enabled=true',
  'networkPolicy.uiFrom[0].podSelector.matchLabels.app=proxy',
];

describe('the web page in the chart', () => {
  it('is off: no variable, no port, no Service', async () => {
    const objects = await render();
    expect(JSON.stringify(objects)).not.toMatch(/TIDEMARK_UI|"ui"/);
    expect(namesOf(objects, 'Service')).toEqual(['tidemark']);
  });

  it('listens on the pod’s own 127.0.0.1 alone when it is turned on', async () => {
    const objects = await render('ui.enabled=true', 'ui.port=9000');
    expect(operator(objects).env).toEqual(
      expect.arrayContaining([
        { name: 'TIDEMARK_UI', value: 'true' },
        { name: 'TIDEMARK_UI_PORT', value: '9000' },
        { name: 'TIDEMARK_UI_LISTEN', value: 'Loopback' },
      ]),
    );
    expect(operator(objects).ports.map(({ name }) => name)).toEqual(['http']);
    expect(namesOf(objects, 'Service')).toEqual(['tidemark']);
  });

  it('is given a Service of its own port only where a NetworkPolicy says who may come to it', async () => {
    await expect(render('ui.enabled=true', 'ui.service.enabled=true')).rejects.toThrow(/networkPolicy\.uiFrom/);
    await expect(render('ui.service.enabled=true')).rejects.toThrow(/needs ui\.enabled/);
    const objects = await render(...proxied);
    expect(operator(objects).env).toContainEqual({ name: 'TIDEMARK_UI_LISTEN', value: 'Pod' });
    expect(operator(objects).ports).toContainEqual({ name: 'ui', containerPort: 8081 });
    expect(objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === 'tidemark-ui')).toMatchObject({
      spec: { ports: [{ name: 'ui', port: 8081, targetPort: 'ui' }] },
    });
  });

  it('is closed to who may read the metrics, and the metrics to who may read the page', async () => {
    const proxy = { from: [{ podSelector: { matchLabels: { app: 'proxy' } } }], ports: [{ port: 'ui' }] };
    const scraper = { from: [{ podSelector: { matchLabels: { app: 'prometheus' } } }], ports: [{ port: 'http' }] };
    const scraped = 'networkPolicy.from[0].podSelector.matchLabels.app=prometheus';
    expect(ingressOf(await render(...proxied))).toEqual([proxy]);
    expect(ingressOf(await render(...proxied, scraped))).toEqual([scraper, proxy]);
    expect(ingressOf(await render('ui.enabled=true', 'networkPolicy.enabled=true'))).toEqual([]);
    expect(ingressOf(await render(...proxied.slice(0, 3)))).toEqual([]);
  });

  it.each(['ui.enabled=yes', 'ui.port=80', 'ui.port=8080', 'ui.service.type=LoadBalancer', 'ui.on=true'])(
    'refuses what makes no sense: %s',
    async (setting) => {
      await expect(render(setting)).rejects.toThrow(/values don't meet the specifications of the schema/);
    },
  );
});

interface Container {
  readonly env: readonly object[];
  readonly ports: readonly { readonly name: string }[];
}

function operator(objects: readonly Rendered[]): Container {
  const deployment = objects.find(({ kind }) => kind === 'Deployment');
  const spec = deployment?.spec as
    | { readonly template: { readonly spec: { readonly containers: readonly Container[] } } }
    | undefined;
  const [container] = spec?.template.spec.containers ?? [];
  if (container === undefined) throw new Error('the Deployment has no container');
  return container;
}

function namesOf(objects: readonly Rendered[], kind: string): readonly string[] {
  return objects.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);
}

function ingressOf(objects: readonly Rendered[]): unknown {
  const policy = objects.find(({ kind }) => kind === 'NetworkPolicy');
  return (policy?.spec as { readonly ingress: unknown } | undefined)?.ingress;
}
