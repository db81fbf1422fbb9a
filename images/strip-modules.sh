#!/bin/sh
# usage: strip-modules.sh <node_modules>
#
# Removes what Node never loads: types, source maps, manuals. Licences stay.
set -eu
find "$1" -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -iname 'readme*' \
  -o -iname 'changelog*' -o -name '*.tsbuildinfo' \) -delete
find "$1" -type d -empty -delete
