#!/bin/sh
# Builds the binary with g++ and with clang++ at different optimisation levels, and compares every byte of the reports,
# traces and resolved scenarios of three library scenarios: tools/compare-compilers.sh [SCENARIO...]
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- tiny-8xa100 llama3-8b-64xh100 gpt-1.7b-sc21
build() { # NAME COMPILER FLAGS
  cmake -S . -B ".build/compare-$1" -G Ninja -DCMAKE_CXX_COMPILER="$2" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="$3" \
    -DMAKESPAN_TESTS=OFF >/dev/null
  cmake --build ".build/compare-$1" --target makespan
}
build gcc g++ -O2
build clang clang++ -O1
status=0
for scenario in "$@"; do
  for compiler in gcc clang; do
    rm -rf ".build/compare-$compiler/out/$scenario"
    mkdir -p ".build/compare-$compiler/out/$scenario"
    ".build/compare-$compiler/tools/makespan" run "$scenario" --out ".build/compare-$compiler/out/$scenario" >/dev/null
  done
  if diff -r ".build/compare-gcc/out/$scenario" ".build/compare-clang/out/$scenario"; then
    echo "$scenario: g++ -O2 and clang++ -O1 write the same bytes"
  else
    status=1
  fi
done
exit $status
