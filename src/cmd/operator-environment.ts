import { z } from 'zod';

const names = z
  .string()
  .default('')
  .transform((list) =>
    list
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  );

const schema = z.object({
  TIDEMARK_AGENT_IMAGE: z.string().min(1),
  TIDEMARK_AGENT_IMAGE_PULL_POLICY: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  TIDEMARK_AGENT_IMAGE_PULL_SECRETS: names,
  TIDEMARK_WATCH_NAMESPACES: names,
  TIDEMARK_AGENT_ACCESS: z.enum(['Managed', 'Provided']).default('Managed'),
  TIDEMARK_AGENT_CLUSTER_ROLE: z.string().default('tidemark-agent'),
  TIDEMARK_LEASE_NAMESPACE: z.string().optional(),
  TIDEMARK_LEASE_NAME: z.string().default('tidemark-operator'),
  TIDEMARK_POD_NAME: z.string().default('operator'),
  TIDEMARK_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  TIDEMARK_HTTP_PORT: z.coerce.number().int().default(8080),
  TIDEMARK_UI: z.stringbool().default(false),
  TIDEMARK_UI_PORT: z.coerce.number().int().default(8081),
  TIDEMARK_UI_LISTEN: z.enum(['Loopback', 'Pod']).default('Loopback'),
});

/** What the operator is told by its Deployment; throws for what it cannot be told. */
export function readEnvironment(variables: NodeJS.ProcessEnv): z.output<typeof schema> {
  return schema.parse(variables);
}
