#!/usr/bin/env bash
# Everything that needs a GPU, in one go on a machine that has one.
# usage: test/gpu/run.sh BIN [ops] [times] [goldens] [fullsize] [eval] [kernels] [launch] [codegen]     (all if none is named)
#   BIN       folder with fk and fk-gpu-optest
#   ops       every kernel against the fp64 reference, over shapes and dtypes
#   times     kernels alone at the shapes of a Llama-3.1-8B
#   goldens   test/golden on the GPU, in float32 and as stored
#   fullsize  Llama-3.1-8B: random checkpoints by transformers (FK_FULLSIZE, default /tmp/fullsize), logits, tokens, times
#   eval      a slower and a faster rms_norm candidate in that model; a right one and four wrong ones in a small one (needs nvcc)
#   kernels   fk kernels on the GPU over the honest and the wrong candidates of test/emulator/candidates
#   launch    the cases of test/emulator on the GPU and in the emulator: one answer (FK_GPU_ANSWERS: where to keep the GPU's)
#   codegen   generated kernels against a copy and torch.compile's
set -uo pipefail
bin=$(cd "${1:?usage: test/gpu/run.sh BIN [ops] [times] [goldens] [fullsize] [eval] [kernels] [launch] [codegen]}" && pwd)
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
export PATH="$bin:$PATH"
parts=${*:-ops times goldens fullsize eval kernels launch codegen}
fullsize=${FK_FULLSIZE:-/tmp/fullsize}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

check() { # check LABEL command...: prints the label when the command fails
  local label=$1
  shift
  "$@" || { echo "FAILED: $label"; failed=1; }
}

wants() { [[ " $parts " == *" $1 "* ]]; }

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader

wants ops && check "kernels" fk-gpu-optest
wants times && check "kernel times" fk-gpu-optest --time

if wants goldens; then
  for folder in test/golden/*/; do
    folder=${folder%/}
    for inputs in "$folder"/*inputs.safetensors; do
      expected=${inputs/inputs/expected}
      check "$inputs float32" fk run "$folder" --device cuda --dtype float32 --inputs "$inputs" \
        --expected "$expected" --tolerance 1e-4
      check "$inputs as stored" fk run "$folder" --device cuda --inputs "$inputs" --expected "$expected" --cosine 0.999
    done
    [ -e "$folder/greedy.json" ] || continue
    mapfile -t prompts < <(python3 -c "
import json, sys
for ids in json.load(open(sys.argv[1]))['prompts']:
    print(','.join(map(str, ids)))" "$folder/greedy.json")
    arguments=()
    for prompt in "${prompts[@]}"; do arguments+=(--prompt-ids "$prompt"); done
    check "$folder generate" fk generate "$folder" --device cuda --dtype float32 "${arguments[@]}" \
      --max-new-tokens 24 --ignore-eos --json > "$work/tokens.json"
    check "$folder tokens" python3 test/gpu/check_greedy.py "$folder/greedy.json" "$work/tokens.json" 1e-3
  done
fi

compare_fullsize() { # compare_fullsize FOLDER
  local folder=$1
  [ -e "$folder/greedy.json" ] && [ -e "$folder/agreement.json" ] ||
    check "checkpoint" python3 test/gpu/make_fullsize.py models/llm/configs/llama-3.1-8b.json "$folder"
  cat "$folder"/model*.safetensors > /dev/null # into the page cache
  # Two honest bf16 runs of a random 32-layer model differ by their roundings alone: transformers' own two, sdpa and eager
  # attention over the same weights, may agree with each other less than 0.999. Where they do, that agreement is the bar,
  # as no third run can be asked for more. What tells an error from rounding is the float32 run: fk in bf16 may lie no
  # farther from it than the worse of the library's two, and never below 0.99.
  local agreement bar nearness
  read -r agreement bar nearness < <(python3 -c "
import json, sys
cosines = json.load(open(sys.argv[1]))
agreement, worse = cosines['sdpa_eager'], min(cosines['sdpa_float32'], cosines['eager_float32'])
print(agreement, min(0.999, agreement), max(0.99, worse))
" "$folder/agreement.json")
  check "agreement of the library's own runs" test -n "$nearness"
  echo "transformers in bf16, sdpa against eager: cosine $agreement"
  echo "fk in bf16 against transformers in bf16, sdpa (bar: $bar):"
  check "full-size logits" fk run "$folder" --device cuda --inputs "$folder/inputs.safetensors" \
    --expected "$folder/expected.safetensors" --cosine "$bar"
  echo "fk in bf16 against transformers in float32 (bar: $nearness, the library's worse bf16 run):"
  check "full-size logits, float32 as the measure" fk run "$folder" --device cuda --inputs "$folder/inputs.safetensors" \
    --expected "$folder/expected32.safetensors" --cosine "$nearness"
  echo "fk in float32 against transformers in float32:"
  check "full-size float32" fk run "$folder" --device cuda --dtype float32 --inputs "$folder/inputs.safetensors" \
    --expected "$folder/expected32.safetensors" --tolerance 1e-4
  local prompt
  prompt=$(python3 -c "
import json, sys
print(','.join(map(str, json.load(open(sys.argv[1]))['prompts'][0])))" "$folder/greedy.json")
  check "full-size generate" fk generate "$folder" --device cuda --dtype float32 --prompt-ids "$prompt" --max-new-tokens 32 --ignore-eos \
    --json > "$work/tokens.json"
  check "full-size tokens" python3 test/gpu/check_greedy.py "$folder/greedy.json" "$work/tokens.json" 1e-3
}

if wants fullsize; then
  compare_fullsize "$fullsize"
  check "import and compile" fk compile "$fullsize" --device cuda -o "$work/llama.fkx"
  for workload in decode-b1-c1024 decode-b32-c1024 prefill-b1-2048; do
    check "$workload" fk eval --model "$fullsize" --device cuda --workload $workload
  done
fi

eval_small() { # eval_small CANDIDATE
  fk eval --model test/golden/llama --device cuda --workload prefill-b1-33 --substitute "rms_norm:$1"
}

is_wrong() { # is_wrong COMMAND...: exit code 1, and the op itself is called wrong, not only the model's answer
  local output status=0
  output=$("$@") || status=$?
  echo "$output"
  [ $status = 1 ] || { echo "exit code $status, wanted 1"; return 1; }
  grep -q '^WRONG  *op in place' <<< "$output" && grep -q '^WRONG: ' <<< "$output"
}

if wants eval; then
  for candidate in rms_norm_slow rms_norm_fast; do
    check "eval $candidate" fk eval --model llama-3.1-8b --random-weights 7 --device cuda --workload decode-b1-c1024 \
      --substitute "rms_norm:examples/candidates/$candidate.ptx" -o "$work/$candidate.json"
    check "eval $candidate prefill" fk eval --model llama-3.1-8b --random-weights 7 --device cuda --workload prefill-b1-2048 \
      --substitute "rms_norm:examples/candidates/$candidate.ptx"
  done

  # A judge that passes everything would pass the above: each wrong candidate has one thing wrong.
  check "eval rms_norm.cu: right" eval_small examples/candidates/rms_norm.cu
  for candidate in test/gpu/wrong/*.cu; do
    check "eval $candidate: must be called WRONG" is_wrong eval_small "$candidate"
  done
fi

if wants kernels; then
  for kind in honest wrong; do
    check "candidates $kind" python3 -B test/tools/Inputs/check_candidates.py test/emulator/candidates/index.json $kind cuda
  done
fi

if wants launch; then
  answers=${FK_GPU_ANSWERS:-$work/answers}
  check "cases on the GPU" python3 -B test/emulator/run_gpu.py --out "$answers" test/emulator/others test/emulator/triton
  for case in test/emulator/{others,triton}/*.case.json; do
    check "$case" python3 -B test/gpu/compare_devices.py fk "$case"
  done
fi

if wants launch; then
  mkdir -p "$answers"
  check "generated kernels on the GPU" python3 -B test/emulator/generated/answers.py fk record "$answers/generated.json"
  check "generated kernels in the emulator" python3 -B test/emulator/generated/answers.py fk compare "$answers/generated.json"
fi

wants codegen && check "generated kernels" python3 -B test/gpu/time_codegen.py "$bin/fk"

[ $failed = 0 ] && echo "GPU tests passed" || echo "GPU tests FAILED"
exit $failed
