#!/bin/sh
# Builds with the address and undefined-behaviour sanitizers, and runs the tests of the engine and of everything that reads
# input: bad scenarios, the fuzz corpus, the command line.
set -eu
cd "$(dirname "$0")/.."
tools/install-packages.sh build test
cmake --preset asan
cmake --build --preset asan --target test_core test_scenarios test_fuzz test_tools makespan
ctest --preset asan -j "$(nproc)" -R '^(core|scenarios|fuzz|tools)\.' -E 'gpt3_145b|gpt_39b'
