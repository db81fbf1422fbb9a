#!/bin/sh
# usage: libraries.sh <program>...     prints every library that they load, the dynamic loader too, one a line
set -eu
ldd "$@" >/tmp/ldd
if grep 'not found' /tmp/ldd >&2; then exit 1; fi
sed -n -e 's/.* => \(\/[^ ]*\) .*/\1/p' -e 's/^[[:space:]]*\(\/[^ ]*\) (0x.*/\1/p' /tmp/ldd | sort -u
