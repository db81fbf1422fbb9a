#!/bin/sh
# usage: packages.sh <file>...     prints the Debian packages that these files belong to, one a line
set -eu
for file in "$@"; do
  real=$(readlink -f "$file")
  # A package may know a file by its place from before /lib became a link to /usr/lib.
  for path in "$file" "$real" "${file#/usr}" "${real#/usr}"; do dpkg-query -S "$path" 2>/dev/null || true; done
done | grep -v '^diversion ' | sed 's/[:,].*//' | sort -u
