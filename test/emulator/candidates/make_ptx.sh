#!/bin/sh
# make_ptx.sh [folder]: makes honest/*.ptx that come of a compiler, from the .cu
# beside them, here or in another folder. Needs clang 22.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/honest}
clang=${CLANG:-$(command -v clang++-22 || command -v clang++)}
mkdir -p "$out"
cd "$here/honest"
"$clang" -x cuda rms_norm_clang.cu --cuda-device-only -S --cuda-gpu-arch=sm_80 \
  -nocudainc -nocudalib -O2 -std=c++17 -o "$out/rms_norm_clang.tmp"
{
  echo "// Made by make_ptx.sh from rms_norm_clang.cu, which says what it does."
  grep '^// fk.launch:' rms_norm_clang.cu
  cat "$out/rms_norm_clang.tmp"
} > "$out/rms_norm_clang.ptx"
rm "$out/rms_norm_clang.tmp"
