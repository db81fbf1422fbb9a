/**
 * What runs in the server's own container, which may hold nothing but a POSIX shell and a few programs. Both scripts find
 * their folder by their own path, and take nothing from a user: the server's arguments are lines of a file.
 */

/** Looks of a fifth of a second: a minute without a sign of the agent. */
const patience = 300;

const watchAgent = `# The agent writes another number into "alive" every two seconds. A look without a new one counts.
beat=
quiet=0
nap() {
  if sleep "$1" 2>/dev/null; then quiet=$((quiet + 1)); else sleep 1; quiet=$((quiet + 5)); fi
  now=
  { read -r now < "$d/alive"; } 2>/dev/null
  if [ -n "$now" ] && [ "$now" != "$beat" ]; then beat=$now; quiet=0; fi
}
agent_is_gone() { [ "$quiet" -gt ${patience} ]; }
`;

/**
 * Runs the server with the arguments in "arguments", stops it when "stop" appears or the agent is gone, starts it again
 * where "restart" is there, and leaves its exit code in "ended" where it ended by itself, and in "exit" when this script
 * goes.
 */
export function recoverScript(major: number): string {
  return `#!/bin/sh
# Written by Tidemark: runs the server of a recovery. Nothing of this stays.
d=\${0%/*}
umask 077
${watchAgent}
end() {
  printf '%s\\n' "$1" > "$d/exit.tmp"
  mv "$d/exit.tmp" "$d/exit"
  if [ -e "$d/checksums-wanted" ]; then check_checksums; fi
  exit "$1"
}
# Every page, now that no server writes; 127 where the image has no program for it.
check_checksums() {
  found=127
  tool=\${server%/*}/pg_checksums
  [ -x "$tool" ] || tool=$(command -v pg_checksums 2>/dev/null)
  if [ -n "$tool" ]; then
    LC_ALL=C "$tool" --check -D "$data" > "$d/checksums.log" 2>&1 < /dev/null
    found=$?
  fi
  printf '%s\\n' "$found" > "$d/checksums-code.tmp"
  mv "$d/checksums-code.tmp" "$d/checksums-code"
}
fits() {
  [ -x "$1/postgres" ] || return 1
  case "$("$1/postgres" --version 2>/dev/null) " in *') ${major}'[!0-9]*) return 0 ;; esac
  return 1
}
find_server() {
  found=$(command -v postgres 2>/dev/null) && fits "\${found%/*}" && { printf '%s\\n' "$found"; return 0; }
  for folder in "$(pg_config --bindir 2>/dev/null)" \\
    /usr/lib/postgresql/${major}/bin /usr/pgsql-${major}/bin /opt/bitnami/postgresql/bin /opt/postgresql/${major}/bin \\
    /usr/libexec/postgresql${major} /usr/local/pgsql/bin /usr/local/bin /usr/bin; do
    fits "$folder" && { printf '%s\\n' "$folder/postgres"; return 0; }
  done
  return 1
}

asked=
trap 'asked=yes' TERM INT
if ! server=$(find_server); then
  printf '%s\\n' 'FATAL:  this image holds no server of PostgreSQL ${major}' | tee -a "$d/server.log" >&2
  end 127
fi
# A scratch server is made here; any other has its data directory.
if [ -e "$d/initdb-arguments" ]; then
  set --
  while IFS= read -r line; do set -- "$@" "$line"; done < "$d/initdb-arguments"
  tool=\${server%/*}/initdb
  [ -x "$tool" ] || tool=initdb
  LC_ALL=C "$tool" "$@" > "$d/server.log" 2>&1 < /dev/null || end 125
fi
while :; do
  if [ -e "$d/stop" ]; then end 0; fi
  rm -f "$d/restart" "$d/ended" "$d/log"
  set --
  while IFS= read -r line; do set -- "$@" "$line"; done < "$d/arguments"
  data=$2
  mkfifo "$d/log" || end 126
  tee -a "$d/server.log" < "$d/log" &
  reader=$!
  "$server" "$@" > "$d/log" 2>&1 < /dev/null &
  child=$!
  : > "$d/started"
  told=
  while kill -0 "$child" 2>/dev/null; do
    if [ -z "$told" ] && { [ -n "$asked" ] || [ -e "$d/stop" ] || [ -e "$d/restart" ] || agent_is_gone; }; then
      kill -INT "$child"
      told=yes
    fi
    nap 0.2
  done
  wait "$child"
  code=$?
  wait "$reader"
  # It ended by itself: the agent says whether it is to be started again.
  if [ -z "$told" ] && [ ! -e "$d/restart" ]; then
    printf '%s\\n' "$code" > "$d/ended.tmp"
    mv "$d/ended.tmp" "$d/ended"
  fi
  while [ -z "$asked" ] && [ ! -e "$d/stop" ] && ! agent_is_gone; do
    if [ -e "$d/restart" ]; then continue 2; fi
    nap 0.2
  done
  end "$code"
done
`;
}

/**
 * restore_command, with a file's name and the place to put it. PostgreSQL takes 1 to 125 for the end of the archive, and
 * may promote: so 1 is said only for what the agent has proved absent, and everything else is above 125, which ends the
 * server (PostgreSQL, "restore_command").
 */
export function getWalScript(): string {
  return `#!/bin/sh
# Written by Tidemark: asks the agent for a WAL file.
d=\${0%/*}
name=$1
to=$2
# Whatever ends this script otherwise, a shell's own error code included, is no end of the archive.
verdict=126
trap 'exit "$verdict"' EXIT
end() {
  verdict=$1
  exit "$1"
}
${watchAgent}
looks=0
while :; do
  # Again and again: the agent may have taken this for the request before it.
  if [ $((looks % 10)) -eq 0 ]; then printf '' > "$d/want/$name" || end 126; fi
  looks=$((looks + 1))
  if [ -e "$d/have/$name" ]; then
    mv -f "$d/have/$name" "$to" || end 126
    end 0
  fi
  if [ -e "$d/absent/$name" ]; then
    rm -f "$d/absent/$name"
    end 1
  fi
  if [ -e "$d/error/$name" ]; then
    cat "$d/error/$name" >&2
    rm -f "$d/error/$name"
    end 126
  fi
  if agent_is_gone; then
    echo "no sign of the Tidemark agent for a minute" >&2
    end 127
  fi
  nap 0.03
done
`;
}

/** Nobody but the containers of this pod reaches the socket. */
export const hostBasedAuthentication = 'local all all trust\n';
