#!/usr/bin/env bash
# The main job from start to end, with nothing else installed: a starter project, images in an OCI
# layout folder, a small base image made on the spot.
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
