#!/usr/bin/env bash
# Runs a command with a registry of its own: docker-registry on a free loopback port, storage in a temporary folder.
# The command finds it in IAMSHIP_TEST_REGISTRY (127.0.0.1:PORT); the access log is in IAMSHIP_TEST_REGISTRY_LOG.
#   ci/with-registry.sh COMMAND [ARGUMENT...]
#   ci/with-registry.sh --available      whether one could be started
# The registry is stopped, by its id, and its storage removed when the command ends; the exit code is the command's.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: ci/with-registry.sh COMMAND [ARGUMENT...]" >&2 && exit 2; }
if [ "$1" = --available ]; then
  command -v docker-registry >/dev/null || { echo "no registry: docker-registry is not installed: run ci/tools.sh" >&2 && exit 1; }
  exit
fi
command -v docker-registry >/dev/null || { echo "docker-registry is not available: run ci/tools.sh" >&2 && exit 3; }

folder=$(mktemp -d)
registry=
# shellcheck disable=SC2317 # called by the trap
stop() {
  if [ -n "$registry" ]; then
    kill "$registry" 2>/dev/null || true
    wait "$registry" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cat >"$folder/registry.yml" <<CONFIGURATION
version: 0.1
log: { level: info, accesslog: { disabled: false } }
storage: { filesystem: { rootdirectory: $folder/storage }, delete: { enabled: true } }
http: { addr: "127.0.0.1:0" }
CONFIGURATION
docker-registry serve "$folder/registry.yml" >"$folder/log" 2>&1 &
registry=$!

# Port 0 lets the kernel choose; the log tells which.
address=
for ((try = 0; try < 200; try++)); do
  address=$(sed -n 's/.*listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$folder/log" | sed -n 1p)
  [ -z "$address" ] || break
  kill -0 "$registry" 2>/dev/null || break
  sleep 0.05
done
[ -n "$address" ] || { cat "$folder/log" >&2 && echo "docker-registry did not start" >&2 && exit 3; }

export IAMSHIP_TEST_REGISTRY=$address IAMSHIP_TEST_REGISTRY_LOG=$folder/log
status=0
"$@" || status=$?
exit $status
