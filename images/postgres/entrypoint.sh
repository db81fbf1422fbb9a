#!/bin/sh
# Starts PostgreSQL in PGDATA, which is made first where there is none. Arguments go to postgres; another command runs as it is.
set -eu

case "${1:-postgres}" in
  postgres) [ "$#" -eq 0 ] || shift ;;
  -*) ;;
  *) exec "$@" ;;
esac

fail() {
  printf 'entrypoint: %s\n' "$1" >&2
  exit 1
}

# In a folder beside it, renamed when complete: a container that is killed half-way begins anew.
make_cluster() {
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
  making=$PGDATA.making
  [ -n "${POSTGRES_PASSWORD:-}" ] || fail 'POSTGRES_PASSWORD is not set, and a new cluster needs a superuser password. Set it.'
  mkdir -p "$(dirname "$PGDATA")" 2>/dev/null && [ -w "$(dirname "$PGDATA")" ] ||
    fail "$(dirname "$PGDATA") cannot be written by user $(id -u). Mount a volume there, and let PGDATA name a folder within it."

  rm -rf "$making"
  password=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
  # shellcheck disable=SC2086 # several arguments in one variable, as the official image has it
  initdb -D "$making" -U "$user" --pwfile="$password" --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
  rm -f "$password"
  printf '%s\n' 'host all all all scram-sha-256' 'host replication all all scram-sha-256' >>"$making/pg_hba.conf"
  if [ "$database" != postgres ]; then
    printf 'CREATE DATABASE "%s"\n' "$(printf %s "$database" | sed 's/"/""/g')" | postgres --single -j -D "$making" postgres
  fi
  mv -T "$making" "$PGDATA"
}

[ -s "$PGDATA/PG_VERSION" ] || make_cluster

# Debian's place for the socket; on a read-only root file system, where a temporary folder is mounted.
sockets=/var/run/postgresql
mkdir -p "$sockets" 2>/dev/null || true
[ -w "$sockets" ] || sockets=/tmp
exec postgres -D "$PGDATA" -k "$sockets" "$@"
