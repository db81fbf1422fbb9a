#!/bin/sh
# Runs a program of the project with the project's own Node 24 and packages, installing them first where they are not
# there or are not those of the lock file: sh test/support/project.sh FILE.ts [ARGUMENT...]
set -eu
cd "$(dirname "$0")/../.."
if ! command -v npm >/dev/null 2>&1; then
  echo 'npm is missing: install Node.js with npm (any version that runs npm ci), then try again.' >&2
  exit 1
fi
wanted=$(cksum package-lock.json)
if [ ! -x node_modules/.bin/node ] || [ "$(cat node_modules/.tidemark-lock 2>/dev/null)" != "$wanted" ]; then
  echo 'Installing the packages of package-lock.json' >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  echo "$wanted" > node_modules/.tidemark-lock
fi
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
exec node_modules/.bin/node "$@"
