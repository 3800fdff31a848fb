#!/usr/bin/env bash
# Plants each bug of sim/mutants into a copy of the project and lets the simulator look for it:
# scripts/mutants.sh [SEEDS] [PATCH...]. A patch that no longer applies and a bug that is not found
# within that many seeds (500) are failures.
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${1:-500}
[ $# -gt 0 ] && shift
patches=("$@")
[ ${#patches[@]} -gt 0 ] || patches=(sim/mutants/*.patch)
copy=target/mutants/tree
mkdir -p "$copy"
missed=0
for patch in "${patches[@]}"; do
  git ls-files -z --cached --others --exclude-standard | rsync -a --checksum --delete \
    --exclude=/target --from0 --files-from=- ./ "$copy/"
  (cd "$copy" && patch --quiet -p1) <"$patch"
  (cd "$copy" && CARGO_TARGET_DIR="$PWD/../build" cargo build --locked --quiet --release -p sim)
  started=$SECONDS
  found=
  # A few at a time, so that the first failure ends the search.
  for ((from = 0; from < seeds; from += 20)); do
    found=$(target/mutants/build/release/sim --seeds "$from..$((from + 20))" --jobs 2 2>/dev/null |
      sed -n 's/^FAILED seed //p' | sort -n | head -n 1) || true
    [ -z "$found" ] || break
  done
  if [ -n "$found" ]; then
    printf '%-44s caught at seed %s (%d s)\n' "$(basename "$patch")" "$found" $((SECONDS - started))
  else
    printf '%-44s NOT CAUGHT in %d seeds (%d s)\n' "$(basename "$patch")" "$seeds" $((SECONDS - started))
    missed=1
  fi
done
exit $missed
