import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { figures } from '../../../src/observability/figures.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';
import { projectRoot, render } from '../../support/chart/render.ts';

const files = join(projectRoot, 'charts/tidemark/files');
const on = (...names: readonly string[]) => names.map((name) => `metrics.${name}.enabled=true`);

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly runbook: string };
}

const rules = parse(readFileSync(join(files, 'alerts.yaml'), 'utf8')) as { groups: { rules: readonly Alert[] }[] };
const alerts = rules.groups.flatMap((group) => group.rules);

describe('the alerts', () => {
  it('are good to Prometheus, and each fires where it must and nowhere else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-alerts-'));
    try {
      await cp(join(files, 'alerts.yaml'), join(folder, 'alerts.yaml'));
      await cp(join(import.meta.dirname, 'alerts.test.yaml'), join(folder, 'alerts.test.yaml'));
      const { stdout } = await execa('promtool', ['check', 'rules', 'alerts.yaml'], { cwd: folder });
      expect(stdout).toContain(`${alerts.length} rules found`);
      await execa('promtool', ['test', 'rules', 'alerts.test.yaml'], { cwd: folder });
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 60_000);

  it('have a case in which they fire, and a runbook', () => {
    const cases = parse(readFileSync(join(import.meta.dirname, 'alerts.test.yaml'), 'utf8')) as {
      readonly tests: readonly {
        readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
      }[];
    };
    const firing = cases.tests.flatMap(({ alert_rule_test }) =>
      alert_rule_test.filter(({ exp_alerts }) => exp_alerts.length > 0).map(({ alertname }) => alertname),
    );
    expect([...firing].sort()).toEqual(alerts.map(({ alert }) => alert).sort());
    const page = readFileSync(join(projectRoot, 'docs/alerts.md'), 'utf8');
    const headings = page.split('\n').flatMap((line) => /^## (\w+)$/.exec(line)?.[1] ?? []);
    expect(headings).toEqual(alerts.map(({ alert }) => alert));
    for (const { alert, annotations } of alerts)
      expect(annotations.runbook).toBe(`docs/alerts.md#${alert.toLowerCase()}`);
  });

  it('ask for nothing but what the operator tells', async () => {
    const told = await metricNames();
    for (const { expr } of alerts) for (const name of namesIn(expr)) expect(told).toContain(name);
  });
});

describe('the dashboard', () => {
  const text = readFileSync(join(files, 'dashboard.json'), 'utf8');

  it('asks for nothing but what the operator tells, and most of that', async () => {
    const { panels } = JSON.parse(text) as { panels: { targets: { expr: string }[] }[] };
    const asked = new Set(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namesIn(expr))));
    const told = await metricNames();
    for (const name of asked) expect(told).toContain(name);
    expect(asked.size).toBeGreaterThan(20);
  });

  it('is the ConfigMap that Grafana’s sidecar looks for', async () => {
    const [dashboard] = (await render(...on('dashboard'))).filter(({ kind }) => kind === 'ConfigMap');
    expect(dashboard?.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    const data = dashboard?.['data'] as Readonly<Record<string, string>>;
    expect(JSON.parse(data['tidemark.json'] ?? '')).toEqual(JSON.parse(text));
  });
});

describe('the chart', () => {
  it('brings none of it unless asked', async () => {
    const kinds = (await render()).map(({ kind }) => kind);
    for (const kind of ['ServiceMonitor', 'PrometheusRule', 'ConfigMap']) expect(kinds).not.toContain(kind);
  });

  it('hands the rules on as they are, braces and all', async () => {
    const [rule] = (await render(...on('prometheusRule'), 'metrics.prometheusRule.labels.release=monitoring')).filter(
      ({ kind }) => kind === 'PrometheusRule',
    );
    expect(rule?.metadata.labels).toMatchObject({ release: 'monitoring' });
    expect(rule?.['spec']).toEqual(rules);
  });

  it('lets Prometheus find every replica by the Service, and keep the policies’ own namespaces', async () => {
    const objects = await render(...on('serviceMonitor'));
    const [monitor] = objects.filter(({ kind }) => kind === 'ServiceMonitor');
    const [service] = objects.filter(({ kind }) => kind === 'Service');
    const spec = monitor?.['spec'] as { selector: { matchLabels: object }; endpoints: readonly object[] };
    expect(service?.metadata.labels).toMatchObject(spec.selector.matchLabels);
    expect(spec.endpoints).toEqual([{ port: 'http', path: '/metrics', interval: '30s', honorLabels: true }]);
    await expect(render(...on('serviceMonitor'), 'metrics.service.enabled=false')).rejects.toThrow(
      /needs metrics.service.enabled/,
    );
  });
});

function namesIn(expr: string): readonly string[] {
  return expr.match(/\btidemark_\w+/g) ?? [];
}

async function metricNames(): Promise<readonly string[]> {
  const { registry } = createMetrics();
  const own = registry.getMetricsAsArray().map(({ name }) => name);
  expect(own).toEqual(expect.arrayContaining(Object.keys(figures).map((name) => `tidemark_${name}`)));
  return [...own, ...own.map((name) => `${name}_bucket`)];
}
