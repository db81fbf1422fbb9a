import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { kinds } from '../../../src/api/kinds.ts';
import { type StructuralSchema, structural } from '../../../src/api/structural.ts';
import { committed, installManifest } from '../../support/chart/install-manifest.ts';
import { documents, helm, lint, projectRoot, type Rendered, render } from '../../support/chart/render.ts';

// The first run on a machine builds Helm.
beforeAll(async () => {
  await helm();
}, 900_000);

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

describe('the chart with its defaults', () => {
  it('is clean to helm lint', async () => {
    expect(await lint()).toContain('0 chart(s) failed');
  });

  it('makes one Deployment of two replicas, whose pods alone bear the name tidemark', async () => {
    const objects = await render();
    const [deployment, ...others] = objects.filter(({ kind }) => kind === 'Deployment');
    expect(others).toEqual([]);
    expect(deployment).toMatchObject({
      metadata: { name: 'tidemark', namespace: 'tidemark-system' },
      spec: { replicas: 2 },
    });
    const pods = objects.filter(({ kind }) => kind === 'Pod');
    expect(pods.map(({ metadata }) => metadata.labels?.['app.kubernetes.io/name'])).toEqual(['tidemark-test']);
  });

  it('tells the operator its agent, its namespaces and where its lease is', async () => {
    expect(
      environmentOf(await render(`agent.image.digest=sha256:${'a'.repeat(64)}`, 'agent.image.pullSecrets={one,two}')),
    ).toMatchObject({
      TIDEMARK_AGENT_IMAGE: `tidemark/agent:0.1.0@sha256:${'a'.repeat(64)}`,
      TIDEMARK_AGENT_IMAGE_PULL_SECRETS: 'one,two',
      TIDEMARK_WATCH_NAMESPACES: '',
      TIDEMARK_AGENT_ACCESS: 'Managed',
      TIDEMARK_AGENT_CLUSTER_ROLE: 'tidemark-agent',
      TIDEMARK_LEASE_NAMESPACE: { fieldRef: { fieldPath: 'metadata.namespace' } },
    });
  });

  it('installs the five definitions, and keeps them on uninstall', async () => {
    const definitions = (await render()).filter(({ kind }) => kind === 'CustomResourceDefinition');
    expect(definitions.map(({ metadata }) => metadata.name).sort()).toEqual(
      kinds.map(({ plural }) => `${plural}.tidemark.dev`).sort(),
    );
    for (const { metadata } of definitions) expect(metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
  });

  it('installs each definition with the spec that crds/ holds', async () => {
    for (const { metadata, spec } of (await render()).filter(({ kind }) => kind === 'CustomResourceDefinition')) {
      const [plural] = metadata.name.split('.');
      const [plain] = documents(readFileSync(join(projectRoot, 'crds', `tidemark.dev_${plural}.yaml`), 'utf8'));
      expect(spec).toEqual(plain?.spec);
    }
  });
});

describe('the chart gives no right too many', () => {
  it.each([[[]], [['watchNamespaces={shop,billing}']]])(
    'names Secrets in no rule, and no wildcard (%j)',
    async (settings) => {
      // But for the one that is bound to nobody.
      const objects = (await render(...settings)).filter(({ metadata }) => metadata.name !== 'tidemark-exec-hooks');
      const rules = objects.flatMap((object) => (object.rules ?? []) as readonly Rule[]);
      expect(rules.length).toBeGreaterThan(5);
      for (const { apiGroups, resources, verbs } of rules) {
        expect([...apiGroups, ...resources, ...verbs]).not.toContain('*');
        expect(resources.filter((resource) => /secret|exec|configmap/.test(resource))).toEqual([]);
      }
    },
  );

  it('runs every container as the restricted Pod Security Standard wants it, and read-only', async () => {
    const pods = (await render()).flatMap(podSpecOf);
    expect(pods).toHaveLength(2);
    for (const { securityContext, containers } of pods) {
      expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      for (const container of containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  it('asks the API server of whoever writes an object whether he may do what it asks for, and not of the operator', async () => {
    const policies = (await render()).filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
    expect(policies.map(({ metadata }) => metadata.name).sort()).toEqual(
      ['backuppolicies', 'backuprepositories', 'pitrrecoveries', 'restorerequests'].map(
        (plural) => `tidemark-requester-rights.${plural}.tidemark.dev`,
      ),
    );
    const bindings = (await render()).filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding');
    expect(bindings.map(({ spec }) => spec)).toEqual(
      policies.map(({ metadata }) => ({ policyName: metadata.name, validationActions: ['Deny'] })),
    );
    for (const { spec } of policies) {
      expect(spec).toMatchObject({
        failurePolicy: 'Fail',
        matchConstraints: { resourceRules: [{ operations: ['CREATE', 'UPDATE'] }] },
      });
      expect(JSON.stringify(spec)).toContain('system:serviceaccount:tidemark-system:tidemark');
    }
    for (const setting of ['admission.requesterRights=false', 'watchNamespaces={shop}'])
      expect((await render(setting)).filter(({ kind }) => kind.startsWith('ValidatingAdmission'))).toEqual([]);
  });

  it('asks so of every Secret, image and workload that a spec can name', async () => {
    const policies = (await render()).filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
    for (const { plural, spec } of kinds) {
      const text = JSON.stringify(policies.find(({ metadata }) => metadata.name.includes(`.${plural}.`)) ?? {});
      const named = pathsOf(structural(spec), '').filter(
        (path) => !path.includes('[]') && /SecretRef$|\.image$/.test(path),
      );
      // What may create a StatefulSet may name its image: target.instance is asked about as a whole.
      for (const path of named.filter((each) => each !== 'target.instance.image'))
        expect(text, `${plural}: ${path}`).toContain(`object.spec.${path}`);
    }
  });

  it('asks so of every Secret that a list of a spec can name', async () => {
    const policies = (await render()).filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
    const text = JSON.stringify(policies.find(({ metadata }) => metadata.name.includes('.backuppolicies.')) ?? {});
    const listed = kinds.flatMap(({ spec }) => pathsOf(structural(spec), '').filter(isListedSecret));
    const hooks = ['hooks.preBackup[]', 'hooks.postBackup[]'];
    expect(listed).toEqual(
      hooks.flatMap((list) => [`${list}.http.headers[].secretKeyRef`, `${list}.http.caSecretRef`]),
    );
    for (const list of ['preBackup', 'postBackup'])
      expect(text).toMatch(
        new RegExp(
          `hooks\\.${list}\\.all\\(hook,.*headers\\.all\\(header,.*header\\.secretKeyRef\\.name.*hook\\.http\\.caSecretRef\\.name`,
        ),
      );
  });

  it('lets the operator bind one role, its agent’s', async () => {
    const rules = (await render()).flatMap((object) => (object.rules ?? []) as readonly Rule[]);
    expect(rules.filter(({ verbs }) => verbs.includes('bind'))).toEqual([
      {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['clusterroles'],
        resourceNames: ['tidemark-agent'],
        verbs: ['bind'],
      },
    ]);
  });
});

describe.each([
  ['without', [], 'ClusterRole'],
  ['with', ['watchNamespaces={shop,billing}'], 'Role'],
])('the right to run commands in pods, %s watchNamespaces', (_, values, kind) => {
  it('is a role of its own, which is bound to nobody', async () => {
    const objects = await render(...values);
    const may = objects.filter(({ rules = [] }) =>
      (rules as readonly Rule[]).some(({ resources }) => resources.includes('pods/exec')),
    );
    expect(new Set(may.map((object) => `${object.kind} ${object.metadata.name}`))).toEqual(
      new Set([`${kind} tidemark-exec-hooks`]),
    );
    const bound = objects.flatMap(({ roleRef }) => (roleRef as { readonly name: string } | undefined)?.name ?? []);
    expect(bound).not.toContain('tidemark-exec-hooks');
  });
});

describe('the chart with watchNamespaces', () => {
  it('makes nothing that is cluster-wide but the definitions', async () => {
    const objects = await render('watchNamespaces={shop,billing}');
    const cluster = objects.filter(({ metadata }) => metadata.namespace === undefined).map(({ kind }) => kind);
    expect(new Set(cluster)).toEqual(new Set(['CustomResourceDefinition']));
    expect(objects.filter(({ kind }) => kind.startsWith('ClusterRole'))).toEqual([]);
  });

  it.each(['shop', 'billing'])(
    'makes the rights of the operator and of the agent, and the agent’s account, in %s',
    async (namespace) => {
      const objects = (await render('watchNamespaces={shop,billing}')).filter(
        ({ metadata }) => metadata.namespace === namespace,
      );
      expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()).toEqual([
        'Role tidemark',
        'Role tidemark-agent',
        'Role tidemark-exec-hooks',
        'RoleBinding tidemark',
        'RoleBinding tidemark-agent',
        'ServiceAccount tidemark-agent',
      ]);
      const account = objects.find(({ kind }) => kind === 'ServiceAccount');
      expect(account?.metadata.labels?.['tidemark.dev/agent']).toBe('true');
      const verbs = objects.flatMap((object) => (object.rules ?? []) as readonly Rule[]);
      expect(verbs.filter(({ resources }) => resources.includes('rolebindings'))).toEqual([]);
    },
  );

  it('tells the operator so', async () => {
    expect(environmentOf(await render('watchNamespaces={shop,billing}'))).toMatchObject({
      TIDEMARK_WATCH_NAMESPACES: 'shop,billing',
      TIDEMARK_AGENT_ACCESS: 'Provided',
    });
  });
});

describe('the values of the chart', () => {
  it('leave the definitions out when asked', async () => {
    expect((await render('crds.enabled=false')).filter(({ kind }) => kind === 'CustomResourceDefinition')).toEqual([]);
  });

  it('let the definitions go with the release when asked', async () => {
    const definitions = (await render('crds.keep=false')).filter(({ kind }) => kind === 'CustomResourceDefinition');
    expect(definitions.map(({ metadata }) => metadata.annotations)).toEqual(Array(5).fill(undefined));
  });

  it('close the operator to all but the named peers when asked', async () => {
    const policies = async (...settings: readonly string[]) =>
      (await render(...settings)).filter(({ kind }) => kind === 'NetworkPolicy');
    expect(await policies()).toEqual([]);
    expect(await policies('networkPolicy.enabled=true')).toMatchObject([
      { spec: { policyTypes: ['Ingress'], ingress: [] } },
    ]);
    expect(
      await policies('networkPolicy.enabled=true', 'networkPolicy.from[0].podSelector.matchLabels.app=prometheus'),
    ).toMatchObject([{ spec: { ingress: [{ from: [{ podSelector: { matchLabels: { app: 'prometheus' } } }] }] } }]);
  });

  it('do without a disruption budget for one replica, which it would hold for ever', async () => {
    const budgets = async (...settings: readonly string[]) =>
      (await render(...settings)).filter(({ kind }) => kind === 'PodDisruptionBudget');
    expect(await budgets()).toHaveLength(1);
    expect(await budgets('operator.replicas=1')).toEqual([]);
  });

  it.each([
    'operator.replicas=0',
    'operator.replica=2',
    'operator.image.tagg=x',
    'operator.image.repository=tidemark/operator:0.1.0',
    'operator.image.digest=sha256:abc',
    'operator.logLevel=verbose',
    'watchNamespaces=shop',
    'watchNamespaces={Shop}',
    'metrics.service.port=0',
    'agent.resources.limits.memory=1Gi',
    'crds.enabled=maybe',
    'unknown=1',
  ])('are refused when they make no sense: %s', async (setting) => {
    await expect(render(setting)).rejects.toThrow(/values don't meet the specifications of the schema/);
  });
});

describe('manifests/', () => {
  it('install.yaml is the chart with its defaults, without Helm', async () => {
    expect(await committed()).toBe(await installManifest());
    expect(await committed()).not.toMatch(/helm\.sh|: Helm/);
  });

  it('samples/ parse, and their Secrets are those that the others name', () => {
    const folder = join(projectRoot, 'manifests', 'samples');
    const objects = readdirSync(folder)
      .filter((file) => file.endsWith('.yaml'))
      .flatMap((file) => documents(readFileSync(join(folder, file), 'utf8')));
    for (const { kind, spec } of objects) {
      const known = kinds.find((candidate) => candidate.kind === kind);
      if (known !== undefined) expect(known.spec.safeParse(spec).error).toBeUndefined();
    }
    const named = [...JSON.stringify(objects).matchAll(/"\w*SecretRef":\{"name":"([^"]+)"/g)].map(([, name]) => name);
    const secrets = objects.filter(({ kind }) => kind === 'Secret').map(({ metadata }) => metadata.name);
    expect(new Set(named)).toEqual(new Set(secrets));
  });
});

function pathsOf(schema: StructuralSchema, path: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const own = path === '' ? name : `${path}.${name}`;
    return [own, ...pathsOf(field, own), ...(field.items === undefined ? [] : pathsOf(field.items, `${own}[]`))];
  });
}

function isListedSecret(path: string): boolean {
  return path.includes('[]') && /(SecretRef|secretKeyRef)$/.test(path);
}

interface PodSpec {
  readonly securityContext: object;
  readonly containers: readonly { readonly securityContext: object; readonly env: readonly Variable[] }[];
}

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: object;
}

function podSpecOf({ kind, spec }: Rendered): readonly PodSpec[] {
  if (kind === 'Pod') return [spec as PodSpec];
  return kind === 'Deployment' ? [(spec as { readonly template: { readonly spec: PodSpec } }).template.spec] : [];
}

function environmentOf(objects: readonly Rendered[]): Readonly<Record<string, unknown>> {
  const variables = objects.filter(({ kind }) => kind === 'Deployment').flatMap(podSpecOf)[0]?.containers[0]?.env ?? [];
  return Object.fromEntries(variables.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]));
}
