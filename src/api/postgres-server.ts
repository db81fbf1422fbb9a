import { z } from 'zod';
import { exactlyOne, formed, identifier, integer, localRef, objectName, ruled, secretKeyRef } from './schema.ts';

/** The workload whose pods run the server. */
export const workloadRef = ruled(
  z.object({
    apiVersion: z.enum(['apps/v1', 'v1']).optional(),
    kind: z.enum(['StatefulSet', 'Deployment', 'Pod']),
    name: objectName,
  }),
  {
    cel: "!has(self.apiVersion) || (self.kind == 'Pod') == (self.apiVersion == 'v1')",
    message: 'apiVersion must be apps/v1 for a StatefulSet or Deployment and v1 for a Pod',
    holds: ({ apiVersion, kind }) => apiVersion === undefined || (kind === 'Pod') === (apiVersion === 'v1'),
  },
);

/** libpq's own names (PostgreSQL, "SSL Support", sslmode). */
export const tls = z.object({
  mode: z.enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']).default('prefer'),
  caSecretRef: secretKeyRef.optional(),
  /** A kubernetes.io/tls Secret: tls.crt and tls.key. */
  clientCertificateSecretRef: localRef.optional(),
});

export const hostNamePattern = '[A-Za-z0-9]([-A-Za-z0-9.:_]*[A-Za-z0-9])?';
const hostName = formed(`^${hostNamePattern}$`, 253, 'must be a host name or an IP address');

const serverFields = {
  workloadRef: workloadRef.optional(),
  host: hostName.optional(),
  port: integer(1, 65535).default(5432),
  /** The database to connect to first; the others are found from there. */
  database: identifier.default('postgres'),
  credentialsSecretRef: localRef,
  tls: tls.optional(),
};

/** A server that a restore writes into. */
export const restoreServer = ruled(z.object(serverFields), exactlyOne('workloadRef', 'host'));

/** The server that a policy protects. */
export const source = ruled(
  z.object({
    ...serverFields,
    container: objectName.optional(),
    role: z.enum(['Primary', 'PreferStandby']).default('Primary'),
  }),
  exactlyOne('workloadRef', 'host'),
  {
    cel: '!has(self.container) || has(self.workloadRef)',
    message: 'container names a container of workloadRef; with host there is none',
    holds: ({ container, workloadRef }) => container === undefined || workloadRef !== undefined,
  },
);

export type WorkloadRef = z.output<typeof workloadRef>;
export type Tls = z.output<typeof tls>;
export type RestoreServer = z.output<typeof restoreServer>;
export type Source = z.output<typeof source>;
