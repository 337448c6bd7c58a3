#!/usr/bin/env bash
# The main job from start to end, with nothing else installed: a starter project, images in an OCI
# layout folder, a small base image made on the spot. Where an engine answers (docker, DOCKER_HOST) it goes on with a
# real identity server, started and probed in each stage; it says which of the two it is. Where a vault answers as well
# (VAULT_ADDR, VAULT_TOKEN), staging has its secrets there.
#   ci/demo.sh PATH_OF_IAMSHIP [FOLDER_TO_KEEP]
set -euo pipefail
program=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -gt 1 ]; then
  folder=$2
  mkdir -p "$folder"
else
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
cd "$folder"
export IAMSHIP_KEY_PASSWORD=demo IAMSHIP_ACTOR=${USER:-demo}

# Shows a command as a person would type it, and runs it.
run() {
  printf '\n\033[1m$ %s\033[0m\n' "$*"
  if [ "$1" = iamship ]; then
    shift
    "$program" "$@"
  else
    "$@"
  fi
}

run iamship init shop
cd shop
echo
echo "# a small base image stands for the vendor's"
"$here/base-image.sh" base 1.0 >/dev/null
sed -i 's|^base *=.*|base = "oci:base#1.0"|' iamship.toml

run iamship keygen
run iamship check
run iamship parameters
run iamship build
run iamship test dev
run iamship promote dev staging
run iamship test staging
run iamship explain staging prod
run iamship promote staging prod
run iamship verify prod
run iamship status
run iamship history prod

echo
echo "# somebody takes a scope from a client: seen before it ships, and held until it is named"
run sed -i '/<scope>email<\/scope>/d' config/services.xml
run iamship diff stage:prod || true
run iamship build
run iamship test dev
run iamship promote dev staging || true
run iamship incoming staging
run iamship promote dev staging --allow-removal client:web-shop
run iamship report --out report.html

# --- the same with a server that runs
echo
if ! engine=$(docker version --format '{{.Server.Version}}' 2>/dev/null); then
  echo "# no engine answers (docker, DOCKER_HOST): nothing was started, the tests looked at the configuration only"
  exit
fi
if ! "$here/provider-project.sh" ../provider; then
  echo "# an engine answers ($engine), but a real identity server can't be made here: run ci/tools.sh"
  exit
fi
cd ../provider
# What the tests gave to the engine goes when the demo ends.
forget_images() {
  local digest
  for digest in $("$program" status --format json | grep -o 'sha256:[0-9a-f]\{64\}' | sort -u); do
    docker image rm "localhost/iamship/provider:${digest:7:12}" >/dev/null 2>&1 || true
  done
}
echo "# an engine answers ($engine): the same with a real identity server, started with each stage's own values"
if grep -q '"vault:' iamship.toml; then
  echo "# a vault answers too ($VAULT_ADDR): the secrets of staging are there, in secret/provider/staging"
fi
run iamship keygen
run iamship build
run iamship test dev
run iamship promote dev staging
run iamship test staging
run iamship promote staging prod
run iamship test prod
echo
echo "# a scope is taken out: the server starts and is healthy, and one client can't get a token any more"
run sed -i 's/offline_access, //' config/server.yaml
run iamship build
run iamship test dev || true
run iamship explain dev staging || true
run iamship status
forget_images
