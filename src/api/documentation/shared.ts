/** Sentences for `kubectl explain`, by the field's path: `.` before a member, `[]` for a list's items. */
export type Documentation = Readonly<Record<string, string>>;

export function under(prefix: string, documentation: Documentation): Documentation {
  return Object.fromEntries(Object.entries(documentation).map(([path, sentence]) => [`${prefix}.${path}`, sentence]));
}

export const workloadRef: Documentation = {
  workloadRef: 'The workload in this namespace whose pods run the server. Exactly one of workloadRef and host.',
  'workloadRef.apiVersion': 'apps/v1 for a StatefulSet or Deployment, v1 for a Pod; may be left out.',
  'workloadRef.kind': 'StatefulSet, Deployment or Pod.',
  'workloadRef.name': "The workload's name.",
};

export const server: Documentation = {
  ...workloadRef,
  host: 'The host name or address of a server that runs elsewhere. Exactly one of workloadRef and host.',
  port: "The server's port.",
  database: 'The maintenance database: the first to connect to; the others are found from there.',
  credentialsSecretRef: 'A Secret of type kubernetes.io/basic-auth in this namespace.',
  'credentialsSecretRef.name': 'A Secret with the keys username and password.',
  tls: 'How the connection is protected.',
  'tls.mode': "libpq's sslmode. verify-full alone is safe from a server that only pretends to be the right one.",
  'tls.caSecretRef': "The certificate authority that signed the server's certificate, in PEM.",
  'tls.caSecretRef.name': "The Secret's name.",
  'tls.caSecretRef.key': 'The key in the Secret, such as ca.crt.',
  'tls.clientCertificateSecretRef': 'A Secret of type kubernetes.io/tls: tls.crt and tls.key, presented to the server.',
  'tls.clientCertificateSecretRef.name': "The Secret's name.",
};

export const namePatterns = (what: string): Documentation => ({
  include: `${what} to take, as patterns of psql and pg_dump; none: all.`,
  exclude: `${what} to leave out, as patterns of psql and pg_dump.`,
});

export const assertions: Documentation = {
  assertions: 'Questions to what was restored; an answer other than the expected one is a failure.',
  'assertions[].database': 'The database to ask.',
  'assertions[].query': 'One SQL statement.',
  'assertions[].expect': 'What psql -At would print.',
};

export const checks: Documentation = {
  checks: 'What the server is asked beside assertions, before it is removed.',
  'checks.verifyBackup': 'Runs pg_verifybackup over the base backup as it was laid.',
  'checks.dataChecksums': 'Runs pg_checksums over the server that was shut down, where it has data checksums.',
  'checks.amcheck': 'Runs pg_amcheck over every table and B-tree of every database.',
  'checks.dump': 'Dumps every database to nowhere, which reads every row.',
};

export const ephemeralImage =
  "The PostgreSQL image; default: the source workload's. Needed where that is not in the cluster.";

export const newInstance: Documentation = {
  instance: 'A new StatefulSet with a Service and a volume.',
  'instance.name': 'The name of the StatefulSet and of the Service.',
  'instance.storage': 'The volume of the new server.',
  'instance.storage.size': 'Its size, such as 10Gi.',
  'instance.storage.storageClassName': "Default: the cluster's.",
  'instance.image': "The PostgreSQL image; default: the source workload's. Needed where the source is a host.",
};

export const inPlace: Documentation = {
  inPlace: 'Replaces the data directory of a workload.',
  'inPlace.workloadRef': 'The workload that is stopped, restored and started.',
  'inPlace.workloadRef.apiVersion': 'apps/v1; may be left out.',
  'inPlace.workloadRef.kind': 'StatefulSet or Deployment.',
  'inPlace.workloadRef.name': "The workload's name.",
  'inPlace.confirm': 'The name of the workload once more, since this cannot be meant by accident.',
  'inPlace.keepOldData': 'Keeps the old data directory beside the new one.',
};

export const status: Documentation = {
  observedGeneration: 'The generation of the spec that this status speaks of.',
  conditions: 'What is true of the object now, and since when.',
};
