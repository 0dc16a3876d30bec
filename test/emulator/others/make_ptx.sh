#!/bin/sh
# make_ptx.sh [folder]: compiles the kernels beside it into PTX, here or in
# another folder: <kernel>.<compiler>.ptx. No path of this machine stays in them.
# Needs nvcc 13.0 and clang 22.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "${1:-$here}" && cd "${1:-$here}" && pwd)
cd "$here"
for nvcc in "${NVCC:-}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
  if [ -x "$nvcc" ]; then break; fi
done
toolkit=$(cd "$(dirname "$nvcc")/.." && pwd)
host=${CCBIN:-$(command -v g++-12 || command -v g++)}
clang=${CLANG:-$(command -v clang++-22 || command -v clang++)}

clean() { # file: keeps a source's name, drops its folder
  sed -e 's|"/[^"]*/\([^"/]*\)"|"\1"|' "$1" > "$1.tmp"
  mv "$1.tmp" "$1"
  if grep -nE '"/|/(usr|home|root|tmp|work|opt)/' "$1"; then
    echo "a path is left in $1" >&2
    exit 1
  fi
}
nvccMake() { # tag, options; kernels on stdin
  tag=$1
  shift
  while read -r name; do
    "$nvcc" -ptx -std=c++17 -ccbin "$host" "$@" "$name.cu" -o "$out/$name.$tag.ptx"
    clean "$out/$name.$tag.ptx"
  done
}
clangMake() {
  tag=$1
  shift
  while read -r name; do
    "$clang" -x cuda "$name.cu" --cuda-device-only -S -std=c++17 --cuda-path="$toolkit" \
      -Wno-unknown-cuda-version "$@" -o "$out/$name.$tag.ptx"
    clean "$out/$name.$tag.ptx"
  done
}
list() { printf '%s\n' "$@"; }

list vector_add reduce_sum transpose histogram stencil prefix_scan softmax_rows bitonic_sort \
  hash64 switch_table calls printf warp_votes struct_argument atomics spin_lock mma_matmul |
  nvccMake nvcc-O0-sm_80 -arch=compute_80 -O0 -Xcicc -O0
list saxpy matmul_tiled layernorm_rows half2_math bf16x2_math polynomial float_math \
  bit_tricks calls switch_table async_copy mandelbrot last_block |
  nvccMake nvcc-O3-sm_80 -arch=compute_80 -O3
list cluster_ring mbarrier_pipeline |
  nvccMake nvcc-O0-sm_90a -arch=compute_90a -O0 -Xcicc -O0
list vector_add reduce_sum transpose histogram softmax_rows bitonic_sort warp_votes cluster_ring \
  mbarrier_pipeline named_barriers double_math hash64 mma_matmul printf half2_math |
  nvccMake nvcc-O3-sm_90a -arch=compute_90a -O3
# With the lines of the source (.file, .loc).
list stencil layernorm_rows | nvccMake nvcc-lineinfo-sm_90a -arch=compute_90a -O3 -lineinfo
list vector_add saxpy matmul_tiled stencil prefix_scan layernorm_rows bit_tricks switch_table \
  polynomial float_math double_math struct_argument atomics named_barriers mandelbrot calls async_copy |
  clangMake clang-O2-sm_80 --cuda-gpu-arch=sm_80 -O2
list transpose bitonic_sort warp_votes last_block spin_lock hash64 |
  clangMake clang-O0-sm_80 --cuda-gpu-arch=sm_80 -O0
