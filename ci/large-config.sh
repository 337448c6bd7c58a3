#!/usr/bin/env bash
# Makes a large configuration for a starter project: N clients in three files, two parameters a client.
#   ci/large-config.sh PROJECT CLIENTS
set -euo pipefail
project=$1 clients=$2
for ((part = 0; part < 3; part++)); do
  awk -v part="$part" -v clients="$clients" 'BEGIN {
    print "<config xmlns=\"http://tail-f.com/ns/config/1.0\">"
    print "  <profiles xmlns=\"https://curity.se/ns/conf/base\">"
    print "    <profile>"
    print "      <id>token-service</id>"
    print "      <type xmlns:as=\"https://curity.se/ns/conf/profile/oauth\">as:oauth-service</type>"
    print "      <settings>"
    print "        <authorization-server xmlns=\"https://curity.se/ns/conf/profile/oauth\">"
    print "          <client-store>"
    print "            <config-backed>"
    for (i = part; i < clients; i += 3) {
      printf "              <client>\n                <id>client-%06d</id>\n", i
      printf "                <client-name>Application number %06d</client-name>\n", i
      print  "                <secret>#{WEB_CLIENT_SECRET}</secret>"
      printf "                <redirect-uris>#{WEB_BASE_URL}/callback/%06d</redirect-uris>\n", i
      print  "                <scope>openid</scope>"
      print  "                <capabilities><code></code></capabilities>"
      print  "              </client>"
    }
    print "            </config-backed>"
    print "          </client-store>"
    print "        </authorization-server>"
    print "      </settings>"
    print "    </profile>"
    print "  </profiles>"
    print "</config>"
  }' >"$project/config/large-$part.xml"
done
