// The one direction of imports (docs/architecture.md): api <- domain <- {kube, postgres, repository, stream,
// observability} <- {controllers, agent} <- cmd. A layer may import itself and what stands left of it.
const layers = [
  ['api'],
  ['domain'],
  ['kube', 'postgres', 'repository', 'stream', 'observability'],
  ['controllers', 'agent'],
  ['cmd'],
];
const rank = (index) => layers.slice(index).flat().join('|');

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...layers.slice(0, -1).flatMap((names, index) =>
      names.map((name) => ({
        name: `${name}-imports-only-leftwards`,
        severity: 'error',
        from: { path: `^src/${name}/` },
        to: { path: `^src/(${rank(index + 1)})/` },
      })),
    ),
    {
      name: 'controllers-and-agent-apart',
      severity: 'error',
      from: { path: '^src/controllers/' },
      to: { path: '^src/agent/' },
    },
    {
      name: 'agent-and-controllers-apart',
      severity: 'error',
      from: { path: '^src/agent/' },
      to: { path: '^src/controllers/' },
    },
    {
      name: 'domain-is-pure',
      severity: 'error',
      comment: 'domain decides; files, processes and sockets belong to the layers right of it',
      from: { path: '^src/(api|domain)/' },
      to: { dependencyTypes: ['core'], path: '^(node:)?(fs|net|http|https|child_process|tls|dns|worker_threads)' },
    },
    { name: 'source-knows-no-tests', severity: 'error', from: { path: '^src/' }, to: { path: '^test/' } },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true, dependencyTypesNot: ['type-only'] } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-development-packages',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { extensions: ['.ts', '.mjs', '.js', '.json'] },
  },
};
