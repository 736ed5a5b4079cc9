#!/bin/sh
# Installs, builds, and replays a published training step: GPT-3 145B on 192 DGX A100 (Narayanan et al. 2021).
set -eu
cd "$(dirname "$0")/.."
tools/install-packages.sh build
cmake --preset release -DMAKESPAN_TESTS=OFF -DMAKESPAN_WERROR=OFF >/dev/null
cmake --build --preset release
mkdir -p out
.build/release/tools/makespan run gpt3-145b-sc21 --out out
