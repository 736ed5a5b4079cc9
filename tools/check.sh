#!/bin/sh
# Installs, builds everything with warnings as errors, and runs all tests.
set -eu
cd "$(dirname "$0")/.."
tools/install-packages.sh build test
cmake --preset dev
cmake --build --preset dev
ctest --preset dev -j "$(nproc)"
