#!/bin/sh
# Makes the .ptx files of this folder from the .cu files beside them: for sm_80, so that they
# load on every GPU from there on, with the directive of the source in front. Needs nvcc 13.0.
set -eu
cd "$(dirname "$0")"
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
for name in rms_norm rms_norm_slow rms_norm_fast; do
  "$nvcc" -ptx -arch=compute_80 -std=c++17 -O3 ${CCBIN:+-ccbin "$CCBIN"} "$name.cu" -o "$name.tmp"
  {
    echo "// Made by make_ptx.sh from $name.cu, which says what it does."
    grep '^// fk.launch:' "$name.cu"
    # These kernels use nothing newer than PTX 7.8 (CUDA 11.8), which older drivers load too.
    sed -e '1,/^\/\/ Based on/d' -e 's/^\.version .*/.version 7.8/' "$name.tmp" | sed -e '1{/^\/\/$/d}'
  } > "$name.ptx"
  rm "$name.tmp"
done
