import { chmod, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const scriptName = 'archive.sh';

/** How many segments the script copies ahead of the one that it is asked for. */
const mostAhead = 64;
/** Seconds that the script waits for an answer; the server asks again after it. */
const answerSeconds = 60;

/** Whole or not at all, since the server may call it at any moment. */
export async function installScript(spool: string, seconds = answerSeconds): Promise<void> {
  const temporary = join(spool, `.${scriptName}.tmp`);
  await writeFile(temporary, scriptFor(seconds));
  await chmod(temporary, 0o755);
  await rename(temporary, join(spool, scriptName));
}

/**
 * What the server's archive_command runs: `sh archive.sh %p %f`. It copies the file into the spool, and with it those that
 * will be asked for next, and waits until the sidecar says that the file is stored. It exits with 0 only then, and never
 * above 125, which the server would take for a crash (PostgreSQL, pgarch.c).
 *
 * done/<name> holds the first eight bytes of pg_control, the system identifier: a word about another server's file of that
 * name is not believed. It needs no more than busybox.
 */
const scriptFor = (seconds: number) => `#!/bin/sh
# archive_command of Tidemark: sh archive.sh "%p" "%f". Stored files are answered with done/<name>, refused ones with failed/<name>.
umask 022
path=$1
name=$2
spool=\${0%/*}
incoming=$spool/incoming
# The eight bytes that this server's pg_control begins with.
mine=$incoming/.system

fail() {
  echo "tidemark: $1" >&2
  exit 1
}

case $name in
  '' | */* | .*) fail "$name is no name of a WAL file" ;;
esac
[ -d "$incoming" ] || fail "the spool $spool is not set up: look at the container tidemark-wal of this pod"

# Every process that is started here costs the server time, for each of its segments.
is_done() {
  [ -e "$spool/done/$name" ] || return 1
  cmp -s "$spool/done/$name" "$mine" && return 0
  rm -f "$spool/done/$name"
  return 1
}

finish() {
  rm -f "$spool/done/$name"
  exit 0
}

copy() {
  temporary=$incoming/.$2.$$.tmp
  # Not by cp: the server keeps its WAL to itself, and the sidecar reads it under another account.
  cat "$1" >"$temporary" && mv -f "$temporary" "$incoming/$2" && return 0
  rm -f "$temporary"
  return 1
}

# How many files wait for the sidecar; those that were refused are asked for again only by the server.
count() {
  waiting=0
  for each in "$incoming"/*; do
    [ -e "$each" ] && waiting=$((waiting + 1))
  done
}

# A timeline's history goes before its segments, so nothing is taken past it.
look_ahead() {
  limit=${mostAhead}
  [ -r "$spool/ahead" ] && read -r limit <"$spool/ahead"
  count
  [ "$waiting" -le $((limit / 2)) ] || return 0
  for status in "$1"/archive_status/*.ready; do
    [ -e "$status" ] || continue
    next=\${status##*/}
    next=\${next%.ready}
    [ "$next" = "$name" ] && continue
    case $next in
      *.history) break ;;
    esac
    [ "$waiting" -lt "$limit" ] || break
    [ -e "$incoming/$next" ] || [ -e "$spool/done/$next" ] || [ -e "$spool/failed/$next" ] && continue
    copy "$1/$next" "$next" 2>/dev/null || continue
    waiting=$((waiting + 1))
    [ -e "$spool/done/$name" ] && break
  done
}

# Where cmp knows no -n, this is not the same, and is written anew.
cmp -s -n 8 global/pg_control "$mine" 2>/dev/null || {
  head -c 8 global/pg_control >"$mine.tmp" && [ -s "$mine.tmp" ] || fail "cannot read global/pg_control in $(pwd)"
  mv -f "$mine.tmp" "$mine" || fail "cannot write into the spool $incoming"
}

[ -e "$spool/failed/$name" ] && rm -f "$spool/failed/$name"
stored=
if is_done; then
  stored=yes
elif [ ! -e "$incoming/$name" ]; then
  copy "$path" "$name" || fail "cannot copy $path into the spool $incoming"
fi
case $name in
  *.history) ;;
  *)
    case $path in
      */*) look_ahead "\${path%/*}" ;;
      *) look_ahead . ;;
    esac
    ;;
esac

[ -n "$stored" ] && finish
left=${seconds * 20}
while [ "$left" -gt 0 ]; do
  is_done && finish
  if [ -e "$spool/failed/$name" ]; then
    reason=$(cat "$spool/failed/$name")
    rm -f "$spool/failed/$name"
    fail "$reason"
  fi
  if [ ! -e "$incoming/$name" ]; then
    is_done && finish
    [ -e "$spool/failed/$name" ] || copy "$path" "$name" || fail "cannot copy $path into the spool $incoming"
  fi
  if sleep 0.05 2>/dev/null; then
    left=$((left - 1))
  else
    sleep 1
    left=$((left - 20))
  fi
done
fail "$name has not been stored within ${seconds} s; it is tried again. Look at the log of the container tidemark-wal of this pod, and whether the repository can be reached"
`;
