#!/usr/bin/env bash
# Runs a command with a container engine: the one that DOCKER_HOST, Docker's context or the default socket means, if it
# answers; else a dockerd of its own, with its data below target/. The command finds it in DOCKER_HOST, and
# IAMSHIP_TEST_ENGINE=1 says that it may be used.
#   ci/with-engine.sh COMMAND [ARGUMENT...]
#   ci/with-engine.sh --available      whether there is one, or one could be started; says why not
# What was started is stopped, by its id, and its data removed when the command ends; the exit code is the command's.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: ci/with-engine.sh COMMAND [ARGUMENT...]" >&2 && exit 2; }

# Also where the packages' programs are not on a user's path.
export PATH="$PATH:/usr/sbin:/sbin"
have() { command -v "$1" >/dev/null 2>&1; }
answers() { have docker && timeout 20 docker version >/dev/null 2>&1; }
is_ready() { grep -q 'API listen on' "$folder/log"; }

# Why none can be started here; nothing if one can.
obstacle() {
  if ! have dockerd || ! have iptables; then
    echo "docker.io or iptables is not installed: run ci/tools.sh"
  elif [ "$(id -u)" != 0 ]; then
    echo "only root can start dockerd"
  elif running=$(pidof dockerd); then
    # Two on one machine take each other's bridge away.
    echo "a dockerd runs here (process $running): set DOCKER_HOST to its socket"
  fi
}

because=
answers || because=$(obstacle)
if [ "$1" = --available ]; then
  [ -z "$because" ] || echo "no engine: $because" >&2
  [ -z "$because" ]
  exit
fi
[ -z "$because" ] || { echo "no engine: $because" >&2 && exit 3; }

if answers; then
  # What the command line finds by a context or a default, the tests get by name.
  export IAMSHIP_TEST_ENGINE=1
  exec "$@"
fi

root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root/target/engine"
data=$(mktemp -d "$root/target/engine/XXXXXX")
# A socket's path may have 107 characters: not below the checkout.
folder=$(mktemp -d /tmp/iamship-engine.XXXXXX)
engine=
# shellcheck disable=SC2317 # called by the trap
stop() {
  if [ -n "$engine" ]; then
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
  fi
  rm -rf --one-file-system "$folder" "$data"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

dockerd --data-root "$data" --exec-root "$folder/exec" --pidfile "$folder/pid" -H "unix://$folder/docker.sock" \
  >"$folder/log" 2>&1 &
engine=$!
export DOCKER_HOST=unix://$folder/docker.sock
unset DOCKER_CONTEXT DOCKER_TLS_VERIFY
for ((try = 0; try < 300; try++)); do
  ! is_ready || break
  kill -0 "$engine" 2>/dev/null || break
  sleep 0.1
done
is_ready || { tail -n 20 "$folder/log" >&2 && echo "dockerd did not start" >&2 && exit 3; }

export IAMSHIP_TEST_ENGINE=1
status=0
"$@" || status=$?
exit $status
