#!/bin/sh
# Installs, builds everything with warnings as errors, compiles every header alone, and runs all tests.
set -eu
cd "$(dirname "$0")/.."
tools/install-packages.sh build test
cmake --preset dev
cmake --build --preset dev
cmake --build --preset dev --target all_verify_interface_header_sets
ctest --preset dev -j "$(nproc)"
