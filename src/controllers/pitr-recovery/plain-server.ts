import type { InstanceParts } from './build-instance.ts';
import type { PodSpec } from './server.ts';

/** A pod that runs a recovered data directory with nothing but an image: nothing of the source is in the cluster. */
export function plainServer({ image, port, place, major, owner }: PlainParts): PodSpec {
  return {
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: owner.uid,
      runAsGroup: owner.gid,
      fsGroup: owner.gid,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'postgres',
        image,
        command: ['sh', '-c', start, 'sh', place.dataDirectory, String(port), String(major)],
        env: [{ name: 'PGDATA', value: place.dataDirectory }],
        ports: [{ name: 'postgres', containerPort: port, protocol: 'TCP' }],
        readinessProbe: {
          exec: { command: ['sh', '-c', ask, 'sh', String(port), String(major)] },
          periodSeconds: 2,
          timeoutSeconds: 5,
        },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        volumeMounts: [
          { name: 'data', ...place.served },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [{ name: 'tmp', emptyDir: {} }],
  };
}

type PlainParts = Pick<InstanceParts, 'image' | 'port' | 'place' | 'major' | 'owner'>;

/** Where images keep the server's programs; $major is set before. */
const path = [
  'PATH="$PATH:/usr/local/bin:/usr/lib/postgresql/$major/bin:/usr/pgsql-$major/bin:/opt/bitnami/postgresql/bin',
  '/opt/postgresql/$major/bin:/usr/libexec/postgresql$major:/usr/local/pgsql/bin"',
].join(':');

/**
 * Debian keeps a server's configuration outside of the data directory, where no backup finds it: files that are not there
 * are made, and only those. Who may connect is then said as by default, with a password from anywhere.
 */
const start = `data=$1 port=$2 major=$3
${path}
umask 077
chmod 0700 "$data"
[ -e "$data/postgresql.conf" ] || : >"$data/postgresql.conf"
[ -e "$data/pg_ident.conf" ] || : >"$data/pg_ident.conf"
if [ ! -e "$data/pg_hba.conf" ]; then
  printf '%s\\n' 'local all all md5' 'host all all all md5' 'host replication all all md5' >"$data/pg_hba.conf"
fi
exec postgres -D "$data" -c "port=$port" -c 'listen_addresses=*' -c unix_socket_directories=/tmp`;

const ask = `port=$1 major=$2
${path}
exec pg_isready -q -h 127.0.0.1 -p "$port"`;
