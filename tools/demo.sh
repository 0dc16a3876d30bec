#!/usr/bin/env bash
# From a model's folder to checked logits, with a kernel swapped on the way and
# run on the CPU.
# usage: tools/demo.sh build/dev/bin
set -euo pipefail
bin=$(cd "${1:?usage: tools/demo.sh <folder of fk>}" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$bin:$PATH"
model=test/golden/llama
candidate=examples/candidates/rms_norm.ptx
faulty=examples/candidates/rms_norm_past_row.ptx
triton=test/emulator/triton
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
# What must fail, with this exit code.
fails() {
  local wanted=$1 code=0
  shift
  printf '$ %s\n' "$*"
  "$@" 2>&1 || code=$?
  [ "$code" -eq "$wanted" ] || { echo "exit code $code, wanted $wanted"; exit 1; }
  echo "(exit code $code)"
}

say "1. Import a tiny random Llama: config.json and model.safetensors become tasks"
run fk import "$model" -o "$work/llama.mlir"
echo "the decoder layer, called once per layer:"
fk-opt "$work/llama.mlir" | sed -n '/func.func private @decoder_layer(/,/^  }/p' | cut -c1-150

say "2. Swap rms_norm for a user's PTX, as data"
run fk-opt "$work/llama.mlir" "--substitute=rms_norm:$candidate" -o "$work/swapped.mlir"
echo "before:"; grep -m1 'fk.rms_norm' "$work/llama.mlir" | cut -c1-150
echo "after:"; grep -m1 'fk.candidate @' "$work/swapped.mlir" | cut -c1-150
grep -m1 'fk.rms_norm' "$work/swapped.mlir" | cut -c1-150
echo "what it cost, said by the compiler:"
fk compile "$model" --device cuda "--substitute=rms_norm:$candidate" --notes -o "$work/swapped.fkx" | grep 'missed' | cut -c1-200

say "3. Run the model on the CPU against transformers' logits"
run fk run "$model" --device host --dtype float32 --inputs "$model/inputs.safetensors" \
  --outputs "$work/out.safetensors" --expected "$model/expected.safetensors" --tolerance 1e-4
run fk generate "$model" --device host --dtype float32 --prompt-ids 5,17,42,99 --max-new-tokens 12

say "4. The same with the PTX executed on the CPU, in bfloat16"
run fk run "$model" --device host --dtype bfloat16 "--substitute=rms_norm:$candidate" --quiet \
  --inputs "$model/inputs.safetensors" --expected "$model/expected.safetensors" --cosine 0.9999

say "5. A kernel that reads one element past its row: caught, at the line of its PTX"
fails 1 fk run "$model" --device host --dtype bfloat16 "--substitute=rms_norm:$faulty" --quiet \
  --inputs "$model/inputs.safetensors" --outputs "$work/wrong.safetensors"
line=$({ fk sanitize "$faulty" --target rms_norm --shapes tokens=2 || true; } |
  sed -n 's/^rms_norm_past_row.ptx:\([0-9]*\):.*out of bounds.*/\1/p' | head -1)
echo "rms_norm_past_row.ptx, line $line: $(sed -n "${line}p" "$faulty")"

say "6. Any kernel, alone: a PTX that Triton made, on named tensors"
run fk launch "$triton/softmax.ptx" --grid 3,1,1 --block 128,1,1 --smem 16 \
  --inputs "$triton/softmax.inputs.safetensors" --args result,input,i32:3,i32:301,null,null \
  --outputs "$work/softmax.safetensors"

say "next, on a machine with an NVIDIA GPU (H100 or H200)"
echo "  fk eval --model $model --device cuda --substitute rms_norm:$candidate"
echo "anywhere"
echo "  fk kernels $candidate --target rms_norm; fk list; fk show rms_norm; fk doctor; fk-opt --help"
