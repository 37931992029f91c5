# Sourced by tools/quickstart and tools/check: installs the packages that are missing.
# shellcheck shell=bash

# Packages to build and run the program; `check_packages` are for the tests only.
build_packages=(
  g++ cmake ninja-build ccache pkg-config
  libsimgrid-dev libboost-dev libboost-graph-dev libtomlplusplus-dev libcli11-dev libfmt-dev
  nlohmann-json3-dev libprotozero-dev libsqlite3-dev coinor-libcbc-dev libmetis-dev libzstd-dev
  zlib1g-dev libeigen3-dev
  libpugixml-dev libyaml-cpp-dev # NCCL XML and ASTRA-sim YAML: no parsers of our own
)
check_packages=(
  catch2 librapidcheck-dev libbenchmark-dev clang-format python3 chromium librsvg2-bin
)

say() { printf '%s\n' "$*" >&2; }

# need_packages NAME...: installs those that are missing, through apt, and says so.
need_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' ||
      missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null; then
    say "These Debian packages are missing, and there is no apt-get to install them:"
    say "  ${missing[*]}"
    return 1
  fi
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      say "Run as root, or install sudo, or install these packages yourself: ${missing[*]}"
      return 1
    }
    root=(sudo)
  fi
  say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  "${root[@]}" apt-get update -qq >&2 || say "apt-get update failed; trying the lists there are."
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 || {
    say "apt-get could not install: ${missing[*]}"
    say "Check the network and the package sources, then run this script again."
    return 1
  }
}

# Node and npm bundle the report's charts; a Node of another source than Debian serves as well.
need_node() {
  command -v node >/dev/null && command -v npm >/dev/null || need_packages nodejs npm
}

# run_step "what it does" COMMAND...: quiet when it works, its whole output when it fails.
run_step() {
  local what=$1 log status=0 start=$SECONDS
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then
    say "ok    $what ($((SECONDS - start)) s)"
  else
    cat "$log" >&2
    say "FAIL  $what: '$*' exited $status; its output is above."
  fi
  rm -f "$log"
  return "$status"
}
