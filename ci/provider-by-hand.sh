#!/usr/bin/env bash
# What `iamship test` does on tests/projects/provider with the suites `boot` and `oidc`, as one would script it:
# docker, curl and jq, and node for the one signature. For the bench; it signs and records nothing.
#   ci/provider-by-hand.sh [--start-only] IMAGE ENV_FILE...
# --start-only: start it, wait until it is healthy, remove it.
set -euo pipefail
start_only=
[ "$1" != --start-only ] || { start_only=yes && shift; }
image=$1
shift

environment=()
for file in "$@"; do
  environment+=(--env-file "$file")
  while IFS='=' read -r name value; do [ -z "$name" ] || declare "$name=$value"; done <"$file"
done
network=$(docker network create "by-hand-$$") container=
# shellcheck disable=SC2317 # called by the trap
remove() {
  [ -z "$container" ] || docker rm --force "$container" >/dev/null
  docker network rm "$network" >/dev/null
}
trap remove EXIT
fail() { echo "by hand: $1" >&2 && exit 1; }

container=$(docker create --network "$network" --publish 127.0.0.1::8080 --read-only --tmpfs /tmp --cap-drop ALL \
  --security-opt no-new-privileges --memory 256m "${environment[@]}" "$image")
docker start "$container" >/dev/null
at=$(docker inspect --format '{{(index (index .NetworkSettings.Ports "8080/tcp") 0).HostPort}}' "$container")
host=${BASE_URL#*://}
ask() { curl --silent --max-time 5 -H "Host: $host" -H "X-Forwarded-Host: $host" -H 'X-Forwarded-Proto: https' "$@"; }
until ask --fail --output /dev/null "http://127.0.0.1:$at/health"; do
  [ "$(docker inspect --format '{{.State.Running}}' "$container")" = true ] || fail 'it has ended'
  sleep 0.02
done
[ -z "$start_only" ] || exit 0

# --- discovery and keys
discovery=$(ask --fail "http://127.0.0.1:$at/.well-known/openid-configuration")
{ read -r issuer && read -r jwks && read -r token && read -r introspection && read -r authorization; } \
  < <(jq -r '.issuer, .jwks_uri, .token_endpoint, .introspection_endpoint, .authorization_endpoint' <<<"$discovery")
[ "$issuer" = "$BASE_URL" ] || fail "the issuer is $issuer"
local_address() { echo "http://127.0.0.1:$at${1#"$BASE_URL"}"; }
keys=$(ask --fail "$(local_address "$jwks")")
jq -e '.keys | length > 0 and all(.kid and .alg and .kty)' <<<"$keys" >/dev/null || fail 'no keys'

# --- endpoints: each one answers something
for endpoint in $(jq -r '.authorization_endpoint, .token_endpoint, .introspection_endpoint, .revocation_endpoint, .userinfo_endpoint' <<<"$discovery"); do
  status=$(ask --output /dev/null --write-out '%{http_code}' "$(local_address "$endpoint")")
  case $endpoint:$status in *:5?? | *:000) fail "$endpoint answers $status" ;; esac
done

# --- a token for each client that gets one of its own
access=$(ask --fail --user "orders-service:$ORDERS_SERVICE_SECRET" -d grant_type=client_credentials -d scope=orders:read \
  "$(local_address "$token")" | jq -er .access_token) || fail 'no token for orders-service'
# shellcheck disable=SC2016 # node's own
KEYS=$keys node -e '
  const [header, payload, signature] = process.argv[1].split(".");
  const { kid } = JSON.parse(Buffer.from(header, "base64url"));
  const jwk = JSON.parse(process.env.KEYS).keys.find((key) => key.kid === kid);
  const key = { key: require("crypto").createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
  const signed = require("crypto").verify("sha256", `${header}.${payload}`, key, Buffer.from(signature, "base64url"));
  process.exit(signed ? 0 : 1);' "$access" || fail 'the token of orders-service is not signed by a key of the server'
opaque=$(ask --fail -d client_id=reports-service -d "client_secret=$REPORTS_SERVICE_SECRET" -d grant_type=client_credentials \
  -d scope=reports:read "$(local_address "$token")" | jq -er .access_token) || fail 'no token for reports-service'
ask --fail --user "api-gateway:$API_GATEWAY_SECRET" -d "token=$opaque" "$(local_address "$introspection")" |
  jq -e .active >/dev/null || fail 'the token of reports-service is not active'

# --- clients of people: known, with a code that was made up
told() { # expected error, arguments of curl
  local expected=$1
  shift
  [ "$(ask "$@" "$(local_address "$token")" | jq -r .error)" = "$expected" ] || fail "not $expected: $*"
}
code=(-d grant_type=authorization_code -d code=made-up -d code_verifier=made-up-verifier-0123456789-0123456789-0123)
told invalid_grant --user "web-shop:$WEB_SHOP_SECRET" "${code[@]}" --data-urlencode "redirect_uri=$SHOP_URL/callback"
told invalid_grant -d client_id=mobile-app "${code[@]}" --data-urlencode redirect_uri=com.example.shop:/callback

# --- wrong secrets
told invalid_client --user orders-service:wrong -d grant_type=client_credentials
told invalid_client -d client_id=reports-service -d client_secret=wrong -d grant_type=client_credentials
told invalid_client --user web-shop:wrong "${code[@]}"

# --- redirect URIs: each one taken, a foreign one refused, and one that only begins like the client's own
authorize() { # client, redirect URI
  ask --output /dev/null --write-out '%{http_code}' --get -d response_type=code -d scope=openid -d state=state \
    -d code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM -d code_challenge_method=S256 \
    -d "client_id=$1" --data-urlencode "redirect_uri=$2" "$(local_address "$authorization")"
}
while read -r client redirect; do
  [[ $(authorize "$client" "$redirect") = 30? ]] || fail "$redirect of $client is refused"
done <<REDIRECTS
web-shop $SHOP_URL/callback
web-shop $SHOP_URL/silent
mobile-app com.example.shop:/callback
REDIRECTS
for client in web-shop mobile-app; do
  [ "$(authorize $client https://elsewhere.example.org/)" = 400 ] || fail "$client may be sent anywhere"
done
[ "$(authorize web-shop "$SHOP_URL.example.org/callback")" = 400 ] || fail 'web-shop may be sent to a host that begins like its own'
