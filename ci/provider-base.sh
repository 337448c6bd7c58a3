#!/usr/bin/env bash
# Makes the base image of tests/projects/provider as an OCI image layout folder, without an engine: the `node` program
# and the libraries that it needs, busybox, and the server bundled to one file.
#   ci/provider-base.sh OUT [TAG]
# What was built is kept under target/provider and built again only when something that goes into it has changed.
# Needs npm and busybox (ci/tools.sh). Where node is older than 20, as Debian 12's own is, the one of the image
# comes from npm too. Exit 3: something is missing.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: ci/provider-base.sh OUT [TAG]" >&2 && exit 2; }
out=$1 tag=${2:-1.0}
root=$(cd "$(dirname "$0")/.." && pwd)
source=$root/tests/projects/provider/server
cache=$root/target/provider
# The oldest node that the server runs on, and the one that is taken where there is none.
oldest=20 node_package=22.23.3
export LC_ALL=C

if [ -e "$out" ] && [ ! -e "$out/oci-layout" ]; then
  echo "provider-base: $out is there and is no image layout" >&2 && exit 2
fi

missing() { echo "provider-base: $1" >&2 && exit 3; }
command -v npm >/dev/null || missing "npm is not available"
busybox=$(command -v busybox) || missing "busybox is not available: run ci/tools.sh"

mkdir -p "$cache"
exec 8>"$cache/lock"
flock 8

node=$(node -p process.execPath)
if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt $oldest ]; then
  case $(uname -m) in x86_64) machine=x64 ;; aarch64) machine=arm64 ;; *) missing "node is older than $oldest, and npm has none for $(uname -m)" ;; esac
  node=$cache/node-$node_package/node_modules/node-linux-$machine/bin/node
  [ -x "$node" ] || npm install --silent --no-save --ignore-scripts --prefix "$cache/node-$node_package" "node-linux-$machine@$node_package" >&2
fi
# A static program, as busybox-static is, has none.
mapfile -t libraries < <({ ldd "$node" && ldd "$busybox"; } 2>/dev/null | grep -o '/[^ ]*' | sort -u)

# Everything that goes into the image.
inputs=$({
  cat "$0" "$source"/*.js "$source/package-lock.json"
  sha256sum "$busybox" "${libraries[@]}"
  "$node" --version
  stat -L -c %s "$node"
  echo "$tag"
} | sha256sum | cut -d' ' -f1)

# Puts a file into the layout under its digest and prints `digest size`.
put() {
  local digest
  digest=$(sha256sum "$1" | cut -d' ' -f1)
  mv "$1" "$layout/blobs/sha256/$digest"
  echo "sha256:$digest $(stat -c %s "$layout/blobs/sha256/$digest")"
}

layers='' diff_ids=''
add_layer() { # folder
  local diff_id digest size
  tar -C "$1" --sort=name --mtime=@1767225600 --owner=0 --group=0 --numeric-owner -cf "$work/layer.tar" .
  diff_id=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  gzip -n -1 "$work/layer.tar"
  read -r digest size < <(put "$work/layer.tar.gz")
  layers+="${layers:+,}{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"$digest\",\"size\":$size}"
  diff_ids+="${diff_ids:+,}\"sha256:$diff_id\""
}

system() { # folder: what the server runs on
  local library link
  mkdir -p "$1"/{bin,usr/bin,etc,tmp}
  chmod 1777 "$1/tmp"
  install -m 755 "$node" "$1/usr/bin/node"
  install -m 755 "$busybox" "$1/bin/busybox"
  for link in sh cat ls env id sleep yes true false; do ln -s busybox "$1/bin/$link"; done
  for library in "${libraries[@]}"; do
    mkdir -p "$1$(dirname "$library")"
    install -m 755 "$(realpath "$library")" "$1$library"
  done
  printf 'root:x:0:0::/:/bin/sh\nprovider:x:10001:10001::/:/bin/sh\n' >"$1/etc/passwd"
  printf 'root:x:0:\nprovider:x:10001:\n' >"$1/etc/group"
}

server() { # folder
  mkdir -p "$1"/{opt/provider,usr/bin,config}
  # Not minified: the library reads the kinds of its tokens off the names of classes. From the folder of the sources:
  # the bundle names them as seen from there.
  (
    cd "$work/server"
    node_modules/.bin/esbuild server.js protect.js --bundle --platform=node --format=esm --target=node20 \
      --outdir="$1/opt/provider" --out-extension:.js=.mjs --log-level=warning \
      --banner:js="import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
  )
  printf '#!/bin/sh\nexec /usr/bin/node /opt/provider/protect.mjs\n' >"$1/usr/bin/protect"
  chmod 755 "$1/usr/bin/protect"
  # As vendors do; the server would not start with it, so an image must hide it.
  printf 'factory: true\n' >"$1/config/factory.yaml"
}

build() {
  layout=$work/layout
  mkdir -p "$layout/blobs/sha256"
  cp -r "$source" "$work/server"
  (cd "$work/server" && npm ci --silent --ignore-scripts) >&2
  system "$work/system" && add_layer "$work/system"
  server "$work/root" && add_layer "$work/root"

  local architecture config config_size manifest manifest_size
  case $(uname -m) in x86_64) architecture=amd64 ;; aarch64) architecture=arm64 ;; *) architecture=$(uname -m) ;; esac
  printf '{"architecture":"%s","os":"linux","created":"2026-01-01T00:00:00Z","config":{"User":"10001:10001","Env":["PATH=/usr/bin:/bin","NODE_ENV=production"],"Entrypoint":["/usr/bin/node","/opt/provider/server.mjs"],"ExposedPorts":{"8080/tcp":{}},"Labels":{"org.opencontainers.image.version":"%s"}},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
    "$architecture" "$tag" "$diff_ids" >"$work/config"
  read -r config config_size < <(put "$work/config")
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[%s]}' \
    "$config" "$config_size" "$layers" >"$work/manifest"
  read -r manifest manifest_size < <(put "$work/manifest")
  printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
    "$manifest" "$manifest_size" "$tag" >"$layout/index.json"
}

if [ ! -e "$cache/base-$inputs/oci-layout" ]; then
  work=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  build
  rm -rf "$cache"/base-*
  mv "$work/layout" "$cache/base-$inputs"
fi
if cmp -s "$cache/base-$inputs/index.json" "$out/index.json"; then
  echo "oci:$out#$tag" && exit
fi
mkdir -p "$(dirname "$out")"
rm -rf "$out"
# Links where that can be: a layout's blobs are never written to. Its index is.
cp -rl "$cache/base-$inputs" "$out" 2>/dev/null || { rm -rf "$out" && cp -r "$cache/base-$inputs" "$out"; }
cp --remove-destination "$cache/base-$inputs/index.json" "$out/index.json"
echo "oci:$out#$tag"
