#!/usr/bin/env python3
"""Writes a full-size random checkpoint with transformers, and what transformers computes with it.

usage: make_fullsize.py CONFIG.json FOLDER

FOLDER gets the checkpoint (bf16, sharded), inputs.safetensors, expected.safetensors (logits of every position, float32
copies of the bf16 run), expected32.safetensors (of the same weights in float32 arithmetic, the measure of both) and
greedy.json (prompts, tokens and top-2 margins of transformers' greedy decoding in float32, and the times of its eager
forward in bf16). Needs torch with CUDA and transformers; run by test/gpu/run.sh.
"""

import json
import pathlib
import sys
import time

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

PROMPT_LENGTH = 512
NEW_TOKENS = 32


def main() -> None:
    config_path, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    config = AutoConfig.for_model(**json.loads(config_path.read_text()))
    torch.manual_seed(7)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    model.eval()
    # At transformers' 0.02 the logits of a deep random model are nearly flat; a larger head gives margins
    # that tell agreement from chance.
    with torch.no_grad():
        model.lm_head.weight.mul_(4)

    start = time.time()
    model.save_pretrained(folder, max_shard_size="4GB")
    print(f"wrote {folder} in {time.time() - start:.1f} s", flush=True)

    generator = torch.Generator().manual_seed(11)
    ids = torch.randint(10, config.vocab_size, (1, PROMPT_LENGTH), generator=generator)
    with torch.no_grad():
        logits = model(ids.cuda()).logits.float().cpu()
        save_file({"input_ids": ids}, folder / "inputs.safetensors")
        save_file({"logits": logits}, folder / "expected.safetensors")

        times = {}
        for length in (2048,):
            batch = torch.randint(10, config.vocab_size, (1, length), generator=generator).cuda()
            samples = []
            for _ in range(8):
                torch.cuda.synchronize()
                start = time.time()
                model(batch, logits_to_keep=1)
                torch.cuda.synchronize()
                samples.append((time.time() - start) * 1e3)
            times[f"prefill_{length}_ms"] = sorted(samples)[len(samples) // 2]
        torch.backends.cuda.matmul.allow_tf32 = False
        exact = model.float()(ids.cuda()).logits.cpu()
        save_file({"logits": exact}, folder / "expected32.safetensors")
        a, b = logits.double().flatten(), exact.double().flatten()
        print(f"transformers, bf16 against its own float32: cosine {float(a @ b / (a.norm() * b.norm())):.6f}", flush=True)
        prompts = ids[:, :64]
        out = model.generate(
            prompts.cuda(),
            attention_mask=torch.ones_like(prompts).cuda(),
            max_new_tokens=NEW_TOKENS,
            min_new_tokens=NEW_TOKENS,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=0,
        )
        margins = []
        for step in out.logits:
            top = step[0].float().topk(2).values
            margins.append(float(top[0] - top[1]))
        tokens = out.sequences[0, prompts.shape[1]:].tolist()
    (folder / "greedy.json").write_text(
        json.dumps({"prompts": prompts.tolist(), "tokens": [tokens], "margins": [margins], "transformers_times": times})
    )
    print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
