#!/bin/sh
# Builds the binary with g++ and with clang++ at different optimisation levels, and compares every byte of the reports,
# traces and resolved scenarios of three library scenarios: tools/compare-compilers.sh [SCENARIO...]
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- tiny-8xa100 llama3-8b-64xh100 gpt-1.7b-sc21
cmake --preset dev >/dev/null # what tools/check.sh builds, too
cmake --build --preset dev --target makespan
cmake -S . -B .build/compare-clang -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS=-O2 \
  -DMAKESPAN_TESTS=OFF >/dev/null
cmake --build .build/compare-clang --target makespan
status=0
for scenario in "$@"; do
  for build in dev compare-clang; do
    rm -rf ".build/$build/out/$scenario"
    mkdir -p ".build/$build/out/$scenario"
    ".build/$build/tools/makespan" run "$scenario" --out ".build/$build/out/$scenario" >/dev/null
  done
  if diff -r ".build/dev/out/$scenario" ".build/compare-clang/out/$scenario"; then
    echo "$scenario: g++ -Og and clang++ -O2 write the same bytes"
  else
    status=1
  fi
done
exit $status
