#!/usr/bin/env bash
# Runs a command with an OpenBao of its own: a development server on a free loopback port, everything in memory.
# The command finds it in IAMSHIP_TEST_VAULT (http://127.0.0.1:PORT); its root token is in IAMSHIP_TEST_VAULT_TOKEN.
#   ci/with-vault.sh COMMAND [ARGUMENT...]
#   ci/with-vault.sh --available      whether one could be started
# The server is stopped, by its id, when the command ends; the exit code is the command's.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: ci/with-vault.sh COMMAND [ARGUMENT...]" >&2 && exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$root/target/tools/bin:$PATH"
if [ "$1" = --available ]; then
  command -v bao >/dev/null || { echo "no vault: bao is not installed: run ci/tools.sh" >&2 && exit 1; }
  exit
fi
command -v bao >/dev/null || { echo "bao is not available: run ci/tools.sh" >&2 && exit 3; }

folder=$(mktemp -d)
vault=
stop_server() {
  [ -n "$vault" ] || return 0
  kill "$vault" 2>/dev/null || true
  wait "$vault" 2>/dev/null || true
  vault=
}
# shellcheck disable=SC2317 # called by the trap
stop() {
  stop_server
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

token=test-$RANDOM$RANDOM$RANDOM
address=
# It does not tell a port that the kernel chose: we choose, and choose again if somebody was faster.
for ((try = 0; try < 5 && ${#address} == 0; try++)); do
  port=$((20000 + RANDOM % 12000))
  : >"$folder/log"
  HOME=$folder bao server -dev -dev-no-store-token -dev-root-token-id="$token" -dev-listen-address="127.0.0.1:$port" \
    >"$folder/log" 2>&1 &
  vault=$!
  for ((wait = 0; wait < 400; wait++)); do
    if grep -q 'Root Token:' "$folder/log"; then
      address=127.0.0.1:$port
      break
    fi
    kill -0 "$vault" 2>/dev/null || break
    sleep 0.05
  done
  [ -n "$address" ] || stop_server
done
[ -n "$address" ] || { cat "$folder/log" >&2 && echo "bao did not start" >&2 && exit 3; }

export IAMSHIP_TEST_VAULT=http://$address IAMSHIP_TEST_VAULT_TOKEN=$token
status=0
"$@" || status=$?
exit $status
