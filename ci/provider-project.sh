#!/usr/bin/env bash
# Makes tests/projects/provider ready to run in a folder of its own: its base image, and secrets for each stage.
#   ci/provider-project.sh FOLDER
# The secrets of `staging` go into the vault at VAULT_ADDR, with VAULT_TOKEN, to secret/provider/staging (KV version 2);
# without these two, or where that vault takes none, into a file like the others, and the project then says so.
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
# Env lines on stdin, as KV version 2 wants them.
kv_body() {
  node -e 'const lines = require("fs").readFileSync(0, "utf8").trim().split("\n");
    console.log(JSON.stringify({ data: Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2))) }));'
}
# Neither the token nor a secret stands on a command line.
store() { # PATH; the body on stdin
  local options=(--silent --show-error --fail --max-time 10 --output /dev/null)
  [ -z "${VAULT_CACERT-}" ] || options+=(--cacert "$VAULT_CACERT")
  [ -z "${VAULT_NAMESPACE-}" ] || options+=(--header "X-Vault-Namespace: $VAULT_NAMESPACE")
  curl "${options[@]}" --header @<(printf 'X-Vault-Token: %s\n' "$VAULT_TOKEN") --data-binary @- "${VAULT_ADDR%/}/v1/$1"
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

why="VAULT_ADDR or VAULT_TOKEN is not set"
if [ -n "${VAULT_ADDR-}" ] && [ -n "${VAULT_TOKEN-}" ]; then
  if why=$(kv_body <"$folder/secrets/staging.env" | store secret/data/provider/staging 2>&1); then
    rm "$folder/secrets/staging.env"
    exit
  fi
fi
sed -i 's|"vault:secret/provider/staging"\].*|"file:secrets/staging.env"]|' "$folder/iamship.toml"
echo "staging's secrets are in secrets/staging.env, not in a vault: $why" >&2
