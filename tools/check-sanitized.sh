#!/bin/sh
# Builds with the address and undefined-behaviour sanitizers, and runs tests of what reads input and of the engine:
# tools/check-sanitized.sh [SUITE...], by default core, network, scenarios, fuzz (all corpora, mutations) and tools.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- core network scenarios fuzz tools
targets=
suites=
for suite in "$@"; do
  targets="$targets test_$suite"
  [ "$suite" != tools ] || targets="$targets makespan"
  suites="$suites${suites:+|}$suite"
done
tools/install-packages.sh build test
cmake --preset asan
# shellcheck disable=SC2086 # a list of targets
cmake --build --preset asan --target $targets
ctest --preset asan -j "$(nproc)" -R "^($suites)\\." -E 'gpt3_145b|gpt_39b'
