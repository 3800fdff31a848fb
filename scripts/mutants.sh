#!/usr/bin/env bash
# Plants each bug of sim/mutants into a copy of the project and lets the simulator look for it:
# scripts/mutants.sh [SEEDS] [PATCH...]. A patch that no longer applies and a bug that is not found
# within that many seeds (2000) are failures. docs/mutants.md tells what each of them is.
#
# A patch that begins with a line `Killed by: TEST` plants what the simulator has no means to show,
# or shows too seldom; then that test of the core has to fail, or the run of that schedule.
#
#   HOLDFAST_MUTANTS_JOBS=2        seeds at the same time
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${1:-2000}
[ $# -gt 0 ] && shift
jobs=${HOLDFAST_MUTANTS_JOBS:-2}
patches=("$@")
[ ${#patches[@]} -gt 0 ] || patches=(sim/mutants/*.patch)
copy=target/mutants/tree
# One copy and one target directory for all, and nothing that makes a build slow: what counts is
# that a changed line of the core is built again soon.
export CARGO_TARGET_DIR=$PWD/target/mutants/build CARGO_INCREMENTAL=1 CARGO_PROFILE_RELEASE_LTO=off \
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 RUSTFLAGS=-Awarnings

missed=0
for patch in "${patches[@]}"; do
  # From nothing: what was renamed since the last campaign must not be there twice.
  rm -rf "$copy" && mkdir -p "$copy"
  git ls-files -z --cached --others --exclude-standard | rsync -a --from0 --files-from=- ./ "$copy/"
  name=$(basename "$patch" .patch)
  if ! (cd "$copy" && patch --quiet --no-backup-if-mismatch -p1) <"$patch"; then
    printf '%-36s NO LONGER APPLIES\n' "$name"
    missed=1
    continue
  fi
  started=$SECONDS
  test=$(sed -n '/^--- /q; s/^Killed by: //p' "$patch")
  schedule=
  case $test in *.json) schedule=$test test= ;; esac
  if [ -n "$test" ]; then
    # A test that is not there, or a patch that does not compile, is no failure of a test.
    result=$(cd "$copy" && cargo test --locked -p holdfast-core --lib -j "$jobs" "$test" 2>&1 |
      grep '^test result:') || true
    if [[ $result == 'test result: FAILED'* ]]; then
      printf '%-36s test       %s (%d s)\n' "$name" "$test" $((SECONDS - started))
    else
      printf '%-36s NOT CAUGHT by %s: %s\n' "$name" "$test" "${result:-it does not compile}"
      missed=1
    fi
    continue
  fi
  (cd "$copy" && cargo build --locked --quiet --release -p sim -j "$jobs")
  started=$SECONDS
  if [ -n "$schedule" ]; then
    status=0
    result=$("$CARGO_TARGET_DIR/release/sim" --schedule "$schedule" 2>/dev/null) || status=$?
    if [ "$status" -ge 127 ]; then
      what=$(sed -n 's/^FAILED *//p' <<<"$result")
      printf '%-36s schedule   %-12s %.120s\n' "$name" "${what%%: *}" "${what#*: }"
    else
      printf '%-36s NOT CAUGHT by %s: status %s\n' "$name" "$schedule" "$status"
      missed=1
    fi
    continue
  fi
  found=
  # A few at a time, so that the first failure ends the search.
  for ((from = 0; from < seeds; from += 20)); do
    found=$("$CARGO_TARGET_DIR/release/sim" --seeds "$from..$((from + 20))" --jobs "$jobs" 2>/dev/null |
      sed -n 's/^FAILED seed //p' | sort -n | head -n 1) || true
    [ -z "$found" ] || break
  done
  if [ -n "$found" ]; then
    what=${found#*: }
    printf '%-36s seed %4s  %-12s %3d s  %.120s\n' "$name" "${found%%: *}" "${what%%: *}" \
      $((SECONDS - started)) "${what#*: }"
  else
    printf '%-36s NOT CAUGHT in %d seeds (%d s)\n' "$name" "$seeds" $((SECONDS - started))
    missed=1
  fi
done
exit $missed
