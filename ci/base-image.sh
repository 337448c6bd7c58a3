#!/usr/bin/env bash
# Makes a small base image in an OCI image layout folder, from nothing but tar, gzip and sha256sum:
# it stands for the vendor's image in the demo and in tests, with factory configuration to hide.
#   ci/base-image.sh FOLDER TAG [FILLER_MEGABYTES]
set -euo pipefail
layout=$1 tag=$2 filler=${3:-0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$layout/blobs/sha256" "$work/root/opt/idsvr/etc/init" "$work/root/opt/idsvr/bin"
echo '<config xmlns="http://tail-f.com/ns/config/1.0"><!-- factory defaults --></config>' \
  >"$work/root/opt/idsvr/etc/init/min-conf.xml"
printf '#!/bin/sh\necho "an identity server would start here"\n' >"$work/root/opt/idsvr/bin/idsvr"
chmod 755 "$work/root/opt/idsvr/bin/idsvr"

# Puts a file into the layout under its digest and prints `digest size`.
put() {
  local digest
  digest=$(sha256sum "$1" | cut -d' ' -f1)
  mv "$1" "$layout/blobs/sha256/$digest"
  echo "sha256:$digest $(stat -c %s "$layout/blobs/sha256/$digest")"
}

layers='' diff_ids=''
add_layer() { # tar file
  local diff_id digest size
  diff_id=$(sha256sum "$1" | cut -d' ' -f1)
  gzip -n -1 "$1"
  read -r digest size < <(put "$1.gz")
  layers+="${layers:+,}{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"$digest\",\"size\":$size}"
  diff_ids+="${diff_ids:+,}\"sha256:$diff_id\""
}

tar -C "$work/root" --sort=name --mtime=@1767225600 --owner=10001 --group=10000 --numeric-owner -cf "$work/layer.tar" opt
add_layer "$work/layer.tar"
for ((part = 0; part * 40 < filler; part++)); do
  mkdir -p "$work/filler/opt/filler"
  head -c $((40 * 1024 * 1024)) /dev/urandom >"$work/filler/opt/filler/$part"
  tar -C "$work/filler" -cf "$work/filler.tar" opt
  rm -r "$work/filler"
  add_layer "$work/filler.tar"
done

printf '{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z","config":{"User":"10001:10000","Env":["PATH=/opt/idsvr/bin:/usr/bin:/bin","IDSVR_HOME=/opt/idsvr"],"Cmd":["idsvr"],"WorkingDir":"/opt/idsvr"},"rootfs":{"type":"layers","diff_ids":[%s]}}' "$diff_ids" >"$work/config"
read -r config config_size < <(put "$work/config")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%s},"layers":[%s]}' \
  "$config" "$config_size" "$layers" >"$work/manifest"
read -r manifest manifest_size < <(put "$work/manifest")
printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
  "$manifest" "$manifest_size" "$tag" >"$layout/index.json"
echo "oci:$layout#$tag $manifest"
