/**
 * Where the agent finds what the operator mounted for it. Secrets are mounted as optional volumes: a missing one then
 * is a sentence in the status within a second, not a pod that hangs in ContainerCreating.
 */
export const mounts = {
  /** username and password of a kubernetes.io/basic-auth Secret. */
  credentials: '/var/run/tidemark/server/credentials',
  /** The file that tls.caSecretRef.key names. */
  serverCa: '/var/run/tidemark/server/ca',
  /** tls.crt and tls.key. */
  clientCertificate: '/var/run/tidemark/server/client-certificate',
  /** Writable, for staged dumps (Directory format). */
  scratch: '/scratch',
  /** Writable and small: pgpass files, sockets, list files. */
  temporary: '/tmp',
  /** A ConfigMap of RestoreRequest.spec.databases[index].listFile. */
  listFile: (index: number) => `/var/run/tidemark/list-files/${index}`,
  /** Shared by the sidecar and the server's container: the archive script and its spool. */
  walSpool: '/var/run/tidemark/wal',
  /** Shared by the agent and the server of a recovery: scripts, socket, spool and signals between the two. */
  recovery: '/var/run/tidemark/recovery',
  /** The data's volume of a server that a logical backup is restored into, and that goes with the pod. */
  scratchServer: '/var/run/tidemark/scratch-server',
  /** username and password for standbyOf. */
  standbyCredentials: '/var/run/tidemark/standby/credentials',
  /** Of an HTTP hook: the files header-0, header-1, … and ca. */
  hook: (list: 'preBackup' | 'postBackup', index: number) => `/var/run/tidemark/hooks/${list}/${index}`,
  repository: {
    credentials: (index: number) => `/var/run/tidemark/repositories/${index}/credentials`,
    ca: (index: number) => `/var/run/tidemark/repositories/${index}/ca`,
    /** The file that encryption.gpg.publicKeySecretRef.key names. */
    publicKeys: (index: number) => `/var/run/tidemark/repositories/${index}/public-keys`,
    /** The file that identitySecretRef.key of encryption.age or encryption.gpg names; in pods that restore only. */
    identity: (index: number) => `/var/run/tidemark/repositories/${index}/identity`,
    /** The claim of a volume repository. */
    volume: (index: number) => `/var/run/tidemark/repositories/${index}/volume`,
  },
} as const;
