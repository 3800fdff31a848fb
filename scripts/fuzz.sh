#!/usr/bin/env bash
# Runs every fuzz target for so many seconds, from its corpus: scripts/fuzz.sh [SECONDS] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
# libFuzzer's instrumentation is a nightly flag that the stable compiler takes too when told to.
export RUSTC_BOOTSTRAP=1
# Each target is an executable of its own: what makes those of a release fast takes a minute for each.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd fuzz/fuzz_targets && ls -- *.rs | sed 's/\.rs$//')
for target in "${targets[@]}"; do
  mkdir -p "target/fuzz-corpus/$target"
  words=()
  [ ! -f "fuzz/dictionaries/$target.dict" ] || words=(-dict="fuzz/dictionaries/$target.dict")
  # The first directory takes what is found; the second is the project's own and is left alone.
  cargo fuzz run --features libfuzzer "$target" "target/fuzz-corpus/$target" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 "${words[@]}"
done
