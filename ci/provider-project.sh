#!/usr/bin/env bash
# Makes tests/projects/provider ready to run in a folder of its own: its base image, and secrets for each stage.
#   ci/provider-project.sh FOLDER
# What is left to do there: iamship keygen. Needs what ci/provider-base.sh needs.
set -euo pipefail
[ $# = 1 ] || { echo "usage: ci/provider-project.sh FOLDER" >&2 && exit 2; }
folder=$1
here=$(cd "$(dirname "$0")" && pwd)

mkdir -p "$folder"
cp -r "$here/../tests/projects/provider/." "$folder"
rm -r "$folder/server"
"$here/provider-base.sh" "$folder/base" >/dev/null

random() { node -p 'require("crypto").randomBytes(24).toString("base64url")'; }
key_set() {
  node -e 'const key = require("crypto").generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
    console.log(JSON.stringify({ keys: [{ ...key, kid: process.argv[1], alg: "ES256", use: "sig" }] }));' "$1"
}
umask 077
mkdir -p "$folder/secrets"
for stage in dev staging prod; do
  {
    echo "SIGNING_KEYS=$(key_set $stage)"
    for name in COOKIE_KEY ORDERS_SERVICE_SECRET REPORTS_SERVICE_SECRET API_GATEWAY_SECRET WEB_SHOP_SECRET; do
      echo "$name=$(random)"
    done
    [ $stage != prod ] || echo "PROTECT_KEY=$(random)"
  } >"$folder/secrets/$stage.env"
done
