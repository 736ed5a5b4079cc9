#!/bin/sh
# Installs what building and testing need, on Debian 12: tools/install-packages.sh [build|test|clang]...
set -eu
packages="ca-certificates g++ cmake ninja-build libboost-dev libboost-graph-dev libfmt-dev libspdlog-dev libyaml-cpp-dev
  libcli11-dev nlohmann-json3-dev zlib1g-dev libpugixml-dev"
for set in "$@"; do
  case $set in
    build) ;;
    test) packages="$packages libgtest-dev libgmock-dev python3 python3-jsonschema git" ;;
    clang) packages="$packages clang" ;;
    *) echo "install-packages.sh: unknown set '$set'; there are: build test clang" >&2; exit 2 ;;
  esac
done

missing=
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "install-packages.sh: run as root, or install:$missing" >&2; exit 1; }
  as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
# shellcheck disable=SC2086  # a list of words
$as_root apt-get install -q -y --no-install-recommends $missing
