#!/usr/bin/env bash
# Brings a Debian 12 machine with git, g++, cmake and Node to where Fjord builds and tests. Idempotent, and quick when
# nothing is missing. `./dev setup` calls it; so does every other verb.
#
# What is large and the same for every clone (the WebAssembly toolchain, the Python environment) lives in
# ${FJORD_CACHE:-~/.cache/fjord}; node_modules is the clone's own.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${FJORD_CACHE:-$HOME/.cache/fjord}
mkdir -p "$cache"
exec 9>"$cache/setup.lock"
flock 9

say() { printf '\033[1msetup:\033[0m %s\n' "$*" >&2; }
stop() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# ---- Debian packages ----------------------------------------------------------------------------------------------------

packages=(clang-19 lld-19 llvm-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev ccache cmake ninja-build
  libhwy-dev googletest nlohmann-json3-dev libcli11-dev chromium chromium-driver python3 python3-venv xz-utils)

debian_packages() {
  local missing=()
  for package in "${packages[@]}"; do
    [[ -e /var/lib/dpkg/info/$package.list || -e /var/lib/dpkg/info/$package:amd64.list || -e /var/lib/dpkg/info/$package:arm64.list ]] ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || stop "this machine has no apt-get; install the equivalents of: ${missing[*]}"
  [[ $(id -u) == 0 ]] || stop "these Debian packages are missing; as root: apt-get install --no-install-recommends ${missing[*]}"
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >"$cache/apt.log" 2>&1 ||
    stop "apt-get failed; its words are in $cache/apt.log"
}

# ---- Emscripten -----------------------------------------------------------------------------------------------------------

# Debian 12's own is too old for the final relaxed-SIMD opcodes: newer packages are unpacked, never installed, beside
# Debian 12's LLVM 19. An em++ of 3.1.60 or later that is already on the path is used as it is.
emscripten() {
  local root=$cache/emscripten
  if command -v em++ >/dev/null; then
    local version
    version=$(em++ --version | sed -n '1s/.* \([0-9]*\.[0-9]*\.[0-9]*\).*/\1/p')
    if [[ $(printf '%s\n' 3.1.60 "$version" | sort -V | head -1) == 3.1.60 ]]; then return 0; fi
  fi
  [[ -e $root/ready ]] && return 0
  say "unpacking Emscripten (237 MB to download, once for all clones)"
  local work=$cache/emscripten.partial
  rm -rf "$work" "$root"
  mkdir -p "$work"/{parts,lists/partial,debs,bin/bin,node}
  # The machine's own mirror, asked for the next release's packages, in private lists.
  local sources=/etc/apt/sources.list.d/debian.sources
  if [[ -e $sources ]]; then
    awk 'BEGIN{RS="";ORS="\n\n"} !/security/ {print; exit}' "$sources" | sed 's/^Suites:.*/Suites: trixie/' >"$work/parts/trixie.sources"
  else
    awk '$1=="deb" && !/security/ {$3="trixie"; print $1,$2,$3,"main"; exit}' /etc/apt/sources.list >"$work/parts/trixie.list"
  fi
  local apt=(apt-get -qq -o APT::Sandbox::User=root -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/parts" -o "Dir::State::Lists=$work/lists")
  "${apt[@]}" update || stop "the package lists of Debian 13 could not be read from this machine's mirror"
  (cd "$work/debs" && "${apt[@]}" download emscripten binaryen libc6 libstdc++6 libgcc-s1) ||
    stop "Emscripten's packages could not be downloaded"
  for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/root"; done
  rm -r "$work/debs" "$work/lists"
  # Binaryen is linked against a newer libc than Debian 12's: run it through the one unpacked beside it.
  local loader
  loader=$(cd "$work/root" && find . -name 'ld-linux-*.so.*' | head -1)
  for program in "$work"/root/usr/bin/wasm*; do
    printf '#!/bin/sh\nexec "%s/root/%s" --library-path "%s/root/usr/lib/%s" "%s/root/usr/bin/%s" "$@"\n' \
      "$root" "$loader" "$root" "$(uname -m)-linux-gnu" "$root" "${program##*/}" >"$work/bin/bin/${program##*/}"
    chmod +x "$work/bin/bin/${program##*/}"
  done
  (cd "$work/root/usr/share" && npm install --silent --no-save --ignore-scripts --prefix . acorn@8) || stop "npm could not bring acorn"
  cat >"$work/config.py" <<CONFIG
LLVM_ROOT = '/usr/lib/llvm-19/bin'
BINARYEN_ROOT = '$root/bin'
NODE_JS = '$(command -v node)'
FROZEN_CACHE = True
CACHE = '$root/root/usr/share/emscripten/cache'
CONFIG
  touch "$work/ready"
  mv "$work" "$root"
}

# ---- npm and Python ---------------------------------------------------------------------------------------------------------

npm_packages() {
  [[ -e package-lock.json ]] || return 0
  cmp -s package-lock.json node_modules/.fjord-lock && return 0
  say "installing npm packages"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.fjord-lock
}

python_environment() {
  local wanted=check/goldens/requirements.txt venv=$cache/python
  [[ -e $wanted ]] || return 0
  cmp -s "$wanted" "$venv/requirements.txt" && return 0
  say "making the Python environment for golden values (TensorFlow, about 1 GB)"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
  cp "$wanted" "$venv/requirements.txt"
}

debian_packages
emscripten
npm_packages
python_environment
