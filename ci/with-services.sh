#!/usr/bin/env bash
# Runs a command with the services that the tests speak to, each from its ci/with-SERVICE.sh, as far as they are
# available here; it says which are not.
#   ci/with-services.sh COMMAND [ARGUMENT...]
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: ci/with-services.sh COMMAND [ARGUMENT...]" >&2 && exit 2; }
here=$(cd "$(dirname "$0")" && pwd)

command=("$@")
for script in "$here"/with-{engine,registry,vault}.sh; do
  if [ -x "$script" ] && "$script" --available; then command=("$script" "${command[@]}"); fi
done
exec "${command[@]}"
