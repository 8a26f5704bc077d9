#!/usr/bin/env bash
# Brings a Debian 12 machine with git, g++, cmake and Node to where Fjord builds and tests. Idempotent, and quick when
# nothing is missing. Every verb of ./dev calls it first.
#
# What is large and the same for every clone (the WebAssembly toolchain, the Python environment, the compiler cache)
# lives in ${FJORD_CACHE:-~/.cache/fjord}; node_modules is the clone's own. Everything is made under a temporary name and
# renamed when it is complete, so that an interrupted setup starts again where it stopped.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${FJORD_CACHE:-$HOME/.cache/fjord}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

say() { printf '\033[1msetup:\033[0m %s\n' "$*" >&2; }
stop() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# step WHAT LOG COMMAND...: runs a long command with its output in a log and the seconds it takes on the terminal.
ticker=
trap '[[ -z $ticker ]] || kill "$ticker" 2>/dev/null || true' EXIT
step() {
  local what=$1 log=$cache/$2.log start=$SECONDS
  shift 2
  say "$what"
  if [[ -t 2 ]]; then
    while kill -0 $$ 2>/dev/null && sleep 1; do printf '\r  %d s ' $((SECONDS - start)) >&2; done 9>&- &
    ticker=$!
  fi
  # In a condition bash would not stop at the first error inside.
  set +e
  (set -e && "$@") >"$log" 2>&1 9>&- </dev/null
  local status=$?
  set -e
  [[ -z $ticker ]] || { kill "$ticker" && wait "$ticker"; } 2>/dev/null || true
  ticker=
  if ((status)); then
    tail -n 15 "$log" >&2
    stop "that failed; all of its output is in $log. Once the cause is gone, run ./dev setup again."
  fi
  [[ ! -t 2 ]] || printf '\r' >&2
  say "  done in $((SECONDS - start)) s"
}

# ---- Debian packages -------------------------------------------------------------------------------------------------

packages=(
  clang-19 lld-19 llvm-19 libclang-rt-19-dev clang-format-19 clang-tidy-19 cmake ninja-build ccache
  libhwy-dev googletest nlohmann-json3-dev rapidjson-dev libcli11-dev zlib1g-dev
  chromium chromium-driver libvulkan1 valgrind libc6-dbg
  python3 python3-venv xz-utils
  libboost-dev libsqlite3-dev libpq-dev postgresql
)
case ${1:-} in
  '') ;;
  # Other browsers, for ./dev test web --all.
  --web) packages+=(firefox-esr webkit2gtk-driver xvfb) ;;
  *) stop "there is no option $1: ./dev setup, or ./dev setup --web" ;;
esac

installAsRoot() {
  apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
}

debianPackages() {
  local installed missing=() package
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
  for package in "${packages[@]}"; do
    grep -qx "$package installed" <<<"$installed" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null ||
    stop "this machine has no apt-get. Fjord's setup knows Debian 12; elsewhere install: ${missing[*]}"
  if [[ $(id -u) != 0 ]]; then
    stop "these Debian packages are missing: ${missing[*]}
Install them as root and run this again:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  fi
  step "installing ${#missing[@]} Debian packages: ${missing[*]}" apt installAsRoot "${missing[@]}"
}

# ---- Emscripten ------------------------------------------------------------------------------------------------------

# Final relaxed-SIMD opcodes need 3.1.60. Debian 12 has 3.1.6, so the packages of Debian 13 are unpacked into the cache,
# never installed, and run on Debian 12's LLVM 19.
emscripten=$cache/emscripten-3.1.69

emscriptenOnPath() {
  command -v em++ >/dev/null || return 1
  local version
  version=$(em++ --version | sed -n '1s/.* \([0-9]\+\.[0-9]\+\.[0-9]\+\).*/\1/p')
  [[ $(printf '%s\n' 3.1.60 "$version" | sort -V | head -n 1) == 3.1.60 ]]
}

unpackEmscripten() {
  local work=$emscripten.partial
  mkdir -p "$work"/{sources,lists/partial,packages}
  # This machine's own mirror, asked for the next release in private lists: the system's configuration stays untouched.
  if [[ -e /etc/apt/sources.list.d/debian.sources ]]; then
    awk 'BEGIN { RS = ""; ORS = "\n\n" } !/security/ { print; exit }' /etc/apt/sources.list.d/debian.sources |
      sed 's/^Suites:.*/Suites: trixie/' >"$work/sources/trixie.sources"
  else
    awk '$1 == "deb" && !/security/ { sub(/bookworm[a-z-]*/, "trixie"); print; exit }' \
      /etc/apt/sources.list >"$work/sources/trixie.list"
  fi
  # The sandbox user of apt cannot write into a home folder.
  local options=(-q -o APT::Sandbox::User=root -o Dir::Etc::sourcelist=/dev/null
    -o "Dir::Etc::sourceparts=$work/sources" -o "Dir::State::Lists=$work/lists"
    -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=")
  apt-get "${options[@]}" update
  cd "$work/packages"
  apt-get "${options[@]}" download emscripten binaryen libc6 libstdc++6 libgcc-s1
  rm -rf "$work/root" "$work/binaryen"
  for package in *.deb; do dpkg -x "$package" "$work/root"; done

  # Binaryen needs a newer libc than Debian 12's: each program runs through the loader that was unpacked beside it.
  local arch loader program
  arch=$(uname -m)
  loader=$(cd "$work/root" && echo usr/lib/"$arch"-linux-gnu/ld-linux-*.so.*)
  mkdir -p "$work/binaryen/bin"
  for program in "$work/root/usr/bin/"wasm*; do
    program=${program##*/}
    printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' "$emscripten/root/$loader" \
      "$emscripten/root/usr/lib/$arch-linux-gnu" "$emscripten/root/usr/bin/$program" >"$work/binaryen/bin/$program"
    chmod +x "$work/binaryen/bin/$program"
  done

  # Emscripten's JavaScript optimiser takes acorn from where Debian's packages would have put it.
  npm install --prefix "$work/acorn" --ignore-scripts --no-audit --no-fund acorn@8
  mkdir -p "$work/root/usr/share/node_modules"
  mv "$work/acorn/node_modules/acorn" "$work/root/usr/share/node_modules/"

  # The configuration file that em++ finds beside itself, so that nothing need be set to use it. The system libraries
  # come built with the package; FROZEN_CACHE keeps it from building others.
  cat >"$work/root/usr/share/emscripten/.emscripten" <<CONFIG
LLVM_ROOT = '/usr/lib/llvm-19/bin'
BINARYEN_ROOT = '$emscripten/binaryen'
NODE_JS = '$(command -v node)'
FROZEN_CACHE = True
CACHE = '$emscripten/root/usr/share/emscripten/cache'
CONFIG
  rm -rf "$work"/{packages,lists,sources,acorn}
  mv "$work" "$emscripten"
}

# ---- npm packages and Python -----------------------------------------------------------------------------------------

npmPackages() {
  [[ -e package-lock.json ]] || return 0
  cmp -s package-lock.json node_modules/.fjord-lock && return 0
  step "installing npm packages" npm npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json node_modules/.fjord-lock
}

# TensorFlow and Keras, from which golden values are made. They are committed, so only ./dev golden needs this.
makePython() {
  rm -rf "$cache/python.partial"
  /usr/bin/python3 -m venv "$cache/python.partial"
  "$cache/python.partial/bin/python" -m pip install --disable-pip-version-check -r check/goldens/requirements.txt
  cp check/goldens/requirements.txt "$cache/python.partial/"
  rm -rf "$cache/python"
  mv "$cache/python.partial" "$cache/python"
}

pythonEnvironment() {
  cmp -s check/goldens/requirements.txt "$cache/python/requirements.txt" && return 0
  step "making the Python environment for golden values (TensorFlow, about 1.5 GB)" python makePython
}

# ---- all of it, one at a time on one machine -------------------------------------------------------------------------

node=$(node --version 2>/dev/null || true)
[[ $node =~ ^v([0-9]+) && ${BASH_REMATCH[1]} -ge 20 ]] ||
  stop "Node 20 or newer is needed${node:+, and this is $node}. Install it and run ./dev setup again."

exec 9>"$cache/lock"
if ! flock -n 9; then
  say "waiting for another setup on this machine"
  flock 9
fi
debianPackages
if [[ ! -e $emscripten ]] && ! emscriptenOnPath; then
  step "unpacking Emscripten (240 MB to download, 1.7 GB unpacked, once for all clones)" emscripten unpackEmscripten
fi
npmPackages
pythonEnvironment
