#!/usr/bin/env bash
# One go on a machine with a GPU: every kernel against the fp64 reference.
#   test/gpu/run.sh [build folder]           correctness
#   test/gpu/run.sh [build folder] --time    times of key shapes as well
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$root/build/dev}
[ $# -gt 0 ] && shift
failed=0
"$build/bin/fk-gpu-optest" || failed=1
for argument in "$@"; do
  [ "$argument" = --time ] && { "$build/bin/fk-gpu-optest" --time || failed=1; }
done
[ $failed = 0 ] && echo "GPU tests passed" || echo "GPU tests FAILED"
exit $failed
