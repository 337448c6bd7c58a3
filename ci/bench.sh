#!/usr/bin/env bash
# Measures iamship against the peers that are installed, interleaved in one run: medians, ratios, requests, memory.
#   ci/bench.sh PATH_OF_IAMSHIP [ROUNDS]
# Peers: crane, cosign, skopeo, oras, xmllint, and docker where an engine answers. What is missing is said and left out.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1")
rounds=${2:-9}

# The bench runs inside a registry of its own.
if [ -z "${IAMSHIP_TEST_REGISTRY-}" ]; then
  exec "$here/with-registry.sh" "$0" "$program" "$rounds"
fi
registry=$IAMSHIP_TEST_REGISTRY log=$IAMSHIP_TEST_REGISTRY_LOG
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export IAMSHIP_KEY_PASSWORD=bench COSIGN_PASSWORD=bench IAMSHIP_FINGERPRINT_KEY=bench IAMSHIP_ACTOR=bench

have() { command -v "$1" >/dev/null 2>&1; }
engine() { have docker && docker info >/dev/null 2>&1; }
quiet() { "$@" >>"$work/output" 2>&1 || { echo "failed: $*" >&2 && tail -5 "$work/output" >&2 && exit 1; }; }

# --- measuring
# Runs a command once and appends its milliseconds to a file of its name.
timed() { # name command...
  local name=$1 start end
  shift
  start=$EPOCHREALTIME
  "$@" >>"$work/output" 2>&1 || { echo "failed: $*" >&2 && tail -5 "$work/output" >&2 && exit 1; }
  end=$EPOCHREALTIME
  echo $((${end/[.,]/} - ${start/[.,]/})) >>"$work/times.$name"
}
median() { sort -n "$work/times.$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] / 1000 }'; }
spread() { sort -n "$work/times.$1" | awk '{ v[NR] = $1 } END { printf "%.1f-%.1f", v[1] / 1000, v[NR] / 1000 }'; }
requests() { sleep 0.3 && grep -c 'http.request.method=' "$log" || true; }
# The largest resident memory of a command, in MiB, and its requests.
peak() { # command...
  "$@" >>"$work/output" 2>&1 &
  local child=$! high=0 now
  while now=$(awk '/VmHWM/ { print $2 }' "/proc/$child/status" 2>/dev/null) && [ -n "$now" ]; do
    high=$now
    sleep 0.002
  done
  wait "$child"
  echo $((high / 1024))
}
head_line() { printf '\n%s\n%-46s %10s %16s %8s %9s\n' "$1" '' 'median ms' 'min-max' 'ratio' 'requests'; }
row() { # label name base [requests]
  [ -e "$work/times.$2" ] || { printf '%-46s %10s\n' "$1" 'not run' && return; }
  printf '%-46s %10.1f %16s %7.2fx %9s\n' "$1" "$(median "$2")" "$(spread "$2")" \
    "$(awk "BEGIN { print $(median "$2") / $(median "$3") }")" "${4--}"
}

echo "iamship $("$program" --version | cut -d' ' -f2), $(date -u +%F), $(nproc) cores, $(uname -sm), registry $(docker-registry --version 2>&1 | awk '{ print $3 }'), $rounds rounds"
for tool in crane cosign skopeo oras xmllint; do have $tool || echo "$tool is not installed: its rows are left out"; done
engine || echo "no docker engine answers: its rows are left out"

# --- the project: a starter, a base of 240 MB in the registry
quiet "$program" init shop
cd shop
quiet "$here/base-image.sh" "$work/base" 1.0 240
quiet skopeo copy --dest-tls-verify=false "oci:$work/base:1.0" "docker://$registry/shop:base"
sed -i "s|^base *=.*|base = \"$registry/shop:base\"|; s|^# *repository *=.*|repository = \"$registry/shop\"|" iamship.toml
grep -q "^repository" iamship.toml || sed -i "s|^\[image\]|[image]\nrepository = \"$registry/shop\"|" iamship.toml
quiet "$program" keygen
quiet "$program" build
change() { printf '<!-- round %s -->' "$1" | cat - >>config/services.xml; }
# The same project with a plain key from the environment: opening an encrypted one, scrypt alone, costs 160 ms.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/plain.key" 2>/dev/null
openssl pkey -in "$work/plain.key" -pubout -out keys/plain.pub 2>/dev/null
BENCH_KEY=$(cat "$work/plain.key")
export BENCH_KEY
cp -r . "$work/plain"
sed -i 's|^key *=.*|key = "env:BENCH_KEY"\ntrusted = ["keys/plain.pub"]|' "$work/plain/iamship.toml"
sed -i "s|$registry/shop\"|$registry/plain\"|" "$work/plain/iamship.toml"
sed -i "s|$registry/shop:base|$registry/plain:base|" "$work/plain/iamship.toml"
quiet skopeo copy --src-tls-verify=false --dest-tls-verify=false "docker://$registry/shop:base" "docker://$registry/plain:base"
(cd "$work/plain" && rm -f iamship.lock && quiet "$program" build)

# --- bake
bake_iamship() { "$program" -C "$work/$1" build --no-stage; }
bake_crane() {
  tar -C "$work/shop" --owner=10001 --group=10000 --transform 's|^config|opt/idsvr/etc/init|' -czf "$work/layer.tar.gz" config
  crane append --insecure -b "$registry/shop:base" -f "$work/layer.tar.gz" -t "$registry/shop:crane" &&
    crane mutate --insecure --label org.opencontainers.image.version="$1" -t "$registry/shop:crane" "$registry/shop:crane"
}
bake_docker() {
  printf 'FROM %s/shop:base\nCOPY --chown=10001:10000 config/*.xml /opt/idsvr/etc/init/\n' "$registry" >"$work/Dockerfile"
  docker build -q -f "$work/Dockerfile" -t "$registry/shop:docker" "$work/shop" && docker push -q "$registry/shop:docker"
}
for ((round = 0; round < rounds; round++)); do
  for folder in shop plain; do (cd "$work/$folder" && change "$round"); done
  timed bake bake_iamship plain
  timed bake-encrypted bake_iamship shop
  if have crane; then timed bake-crane bake_crane "$round"; fi
  if engine; then timed bake-docker bake_docker; fi
done
(cd "$work/plain" && change counted)
before=$(requests) && bake_iamship plain >/dev/null 2>&1 && counted=$(($(requests) - before))
have crane && before=$(requests) && bake_crane x >/dev/null 2>&1 && counted_crane=$(($(requests) - before))
head_line 'bake: configuration to a new image, base of 240 MB in the same repository'
row 'iamship build (checks, signs, attests)' bake bake "$counted"
row '  the same, cosign-encrypted key' bake-encrypted bake
row 'crane append + mutate (unsigned)' bake-crane bake "${counted_crane--}"
row 'docker build + push (unsigned)' bake-docker bake

# --- promote
advance() { # folder round: something new and tested in dev
  (cd "$work/$1" && change "promote $2" && quiet "$program" build && quiet "$program" test dev)
}
digest_of() { "$program" -C "$work/plain" status --format json | jq -r '.stages[0].digest'; }
promote() { "$program" -C "$work/$1" promote dev staging; }
move_docker() { docker pull -q "$registry/plain@$1" && docker tag "$registry/plain@$1" "$registry/plain:docker" && docker push -q "$registry/plain:docker"; }
if have cosign; then cp keys/iamship.pub "$work/cosign.pub"; fi
for ((round = 0; round < rounds; round++)); do
  for folder in shop plain; do advance $folder "$round"; done
  digest=$(digest_of)
  before=$(requests)
  timed promote promote plain
  counted=$(($(requests) - before))
  timed promote-encrypted promote shop
  if have crane; then timed promote-crane crane tag --insecure "$registry/plain@$digest" crane-moved; fi
  if have oras; then timed promote-oras oras tag --plain-http "$registry/plain@$digest" oras-moved; fi
  if have skopeo; then timed promote-skopeo skopeo copy --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false "docker://$registry/plain@$digest" "docker://$registry/plain:skopeo"; fi
  if have cosign; then timed promote-cosign cosign verify --key "$work/plain/keys/plain.pub" --insecure-ignore-tlog --allow-insecure-registry "$registry/plain@$digest"; fi
  if engine; then timed promote-docker move_docker "$digest"; fi
done
head_line 'promote: move a stage to the tested digest, same repository'
row 'iamship promote (verifies, judges, records)' promote promote "$counted"
row '  the same, cosign-encrypted key (scrypt)' promote-encrypted promote
row 'cosign verify alone' promote-cosign promote
row 'crane tag (verifies nothing)' promote-crane promote
row 'oras tag (verifies nothing)' promote-oras promote
row 'skopeo copy (verifies nothing)' promote-skopeo promote
row 'docker pull + tag + push (changes nothing else)' promote-docker promote

# --- check
quiet "$program" -C "$work" init large
"$here/large-config.sh" "$work/large" 100000
size=$(cat "$work"/large/config/*.xml | wc -c)
for ((round = 0; round < rounds; round++)); do
  timed check "$program" -C "$work/large" check
  if have xmllint; then timed check-xmllint xmllint --noout "$work"/large/config/*.xml; fi
done
head_line "check: $((size / 1000000)) MB, 100,000 clients, 3 stages"
row 'iamship check (all rules)' check check
row 'xmllint --noout (well-formed, nothing else)' check-xmllint check

# --- diff
# Two versions of one configuration: in the second, every hundredth client has another address and one is gone.
for clients in 1000 10000 100000; do
  for version in before after; do
    mkdir -p "$work/$clients-$version/config"
    "$here/large-config.sh" "$work/$clients-$version" "$clients"
  done
  sed -i -E 's|(callback/[0-9]*00)<|\1/new<|; s|>client-000007<|>client-renamed<|' "$work/$clients-after"/config/*.xml
done
diff_of() { "$program" -C "$work/large" diff --exit-zero "$work/$1-before/config" "$work/$1-after/config"; }
for ((round = 0; round < rounds; round++)); do
  for clients in 1000 10000 100000; do timed "diff-$clients" diff_of "$clients"; done
done
head_line 'diff: two versions of a configuration, read, compared, told'
for clients in 1000 10000 100000; do row "iamship diff, $clients clients" "diff-$clients" diff-10000; done
printf 'peak memory: 10,000 clients %s MiB, 100,000 clients %s MiB\n' "$(peak "$program" -C "$work/large" diff --exit-zero "$work/10000-before/config" "$work/10000-after/config")" "$(peak "$program" -C "$work/large" diff --exit-zero "$work/100000-before/config" "$work/100000-after/config")"

# --- a real identity server under test, in an engine
# Both use one image; both wait for /health, ask the same questions, and remove what they made.
provider=$work/provider
test_provider() { "$program" -C "$provider" test dev; }
by_hand() { "$here/provider-by-hand.sh" "$@" "$image" "$provider/env/dev.env" "$provider/secrets/dev.env"; }
pull_provider() { docker pull --quiet "$registry/provider@$digest"; }
forget_provider() { docker image rm --force "$image" >/dev/null; }
# No vault: its time is not the engine's.
if engine && VAULT_ADDR='' "$here/provider-project.sh" "$provider"; then
  sed -i "s|^key *=.*|key = \"env:BENCH_KEY\"\ntrusted = [\"keys/plain.pub\"]|; s|^\[image\]|[image]\nrepository = \"$registry/provider\"|" "$provider/iamship.toml"
  mkdir -p "$provider/keys" && cp "$work/plain/keys/plain.pub" "$provider/keys/"
  # A layer of its own: whatever the engine holds, it lacks this image.
  echo "# $RANDOM$RANDOM" >>"$provider/config/server.yaml"
  (cd "$provider" && quiet "$program" build)
  digest=$("$program" -C "$provider" status --format json | jq -r '.stages[0].digest')
  image=$(skopeo inspect --raw --tls-verify=false "docker://$registry/provider@$digest" | jq -r .config.digest)
  for ((round = 0; round < rounds; round++)); do
    timed pull pull_provider
    forget_provider
    timed test-first test_provider
    timed test test_provider
    timed by-hand by_hand
    timed by-hand-start by_hand --start-only
    forget_provider
  done
  paste "$work/times.test-first" "$work/times.test" | awk '{ print $1 - $2 }' >"$work/times.load"
  head_line 'test: start a real identity server with the values of a stage, suites boot and oidc'
  row 'iamship test (checks, signs, records)' test test
  row 'docker run + curl in a script (records nothing)' by-hand test
  row 'docker run until healthy, nothing asked' by-hand-start test
  printf 'over the server alone: %.0f ms (target 500)\n' "$(awk "BEGIN { print $(median test) - $(median by-hand-start) }")"
  head_line 'load: an image of 43 MB from the registry into the engine'
  row 'iamship test, the first minus the second' load load
  row 'docker pull' pull load
fi

# --- render
render_all() { for target in env docker compose systemd kubernetes helm-values kustomize; do "$program" -C "$work/plain" render dev --for $target; done; }
for ((round = 0; round < rounds; round++)); do timed render render_all; done
printf '\nrender, 7 targets, each read, verified and judged anew from the registry: %.0f ms in all\n' "$(median render)"

# --- start-up and memory
hundred() { for ((i = 0; i < 100; i++)); do "$1" --version; done; }
for ((round = 0; round < rounds; round++)); do timed start hundred "$program"; done
printf '\nstart-up (--version): %.2f ms\n' "$(awk "BEGIN { print $(median start) / 100 }")"
quiet "$here/base-image.sh" "$work/base400" 1.0 400
quiet "$program" -C "$work" init memory
sed -i "s|^base *=.*|base = \"oci:../base400#1.0\"|" "$work/memory/iamship.toml"
sed -i "s|^\[image\]|[image]\nrepository = \"$registry/memory\"|; s|^# *repository *=.*||" "$work/memory/iamship.toml"
(cd "$work/memory" && quiet "$program" keygen)
printf 'peak memory: build with a 400 MB base, copied from a folder to the registry, encrypted key: %s MiB\n' "$(peak "$program" -C "$work/memory" build)"
printf 'peak memory: check of the %s MB configuration: %s MiB' $((size / 1000000)) "$(peak "$program" -C "$work/large" check)"
if have xmllint; then printf '; xmllint %s MiB' "$(peak xmllint --noout "$work"/large/config/*.xml)"; fi
echo
