#!/bin/sh
# usage: licences.sh <node_modules> <folder>
#
# Copies the licences and notices of the packages whose code is bundled into the programs.
set -eu
cd "$1"
find . -type f \( -iname 'licen[cs]e*' -o -iname 'notice*' -o -iname 'copying*' \) ! -name '*.js' ! -name '*.ts' \
| while IFS= read -r file; do
  mkdir -p "$2/$(dirname "$file")"
  cp "$file" "$2/$file"
done
