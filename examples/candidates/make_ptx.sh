#!/bin/sh
# make_ptx.sh [folder]: makes the .ptx files of this folder (or of another one)
# from the .cu files beside this script: for sm_80, so that they load on every GPU
# from there on, with the directive of the source in front. Needs nvcc 13.0.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}
for nvcc in "${NVCC:-}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc \
    "$here/../../build/deps/cuda/nvidia/cu13/bin/nvcc"; do
  if [ -x "$nvcc" ]; then break; fi
done
host=${CCBIN:-$(command -v g++-12 || command -v g++)}
mkdir -p "$out"
for name in rms_norm rms_norm_slow rms_norm_fast rms_norm_past_row; do
  "$nvcc" -ptx -arch=compute_80 -std=c++17 -O3 -ccbin "$host" "$here/$name.cu" \
    -o "$out/$name.tmp"
  {
    echo "// Made by make_ptx.sh from $name.cu, which says what it does."
    grep '^// fk.launch:' "$here/$name.cu"
    # Nothing in them is newer than PTX 7.8 (CUDA 11.8): older drivers load them too.
    sed -e '1,/^\/\/ Based on/d' -e 's/^\.version .*/.version 7.8/' "$out/$name.tmp" |
      sed -e '1{/^\/\/$/d}'
  } > "$out/$name.ptx"
  rm "$out/$name.tmp"
done
