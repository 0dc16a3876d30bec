#!/usr/bin/env python3
"""Writes a full-size random checkpoint with transformers, and what transformers computes with it.

usage: make_fullsize.py CONFIG.json FOLDER [DEVICE]     (DEVICE: cuda if none is given; cpu for a small config)

FOLDER gets
  model*.safetensors           the checkpoint, bf16, sharded
  inputs.safetensors           ids of one prompt
  expected.safetensors         logits of every position in bf16 with sdpa attention, as float32
  expected_eager.safetensors   the same with eager attention: the library's other implementation of the same model
  expected32.safetensors       the same weights in float32 arithmetic with sdpa, the measure of all bf16 runs
  agreement.json               cosines between these three, as `fk run --cosine` takes them: over all logits, in double
  greedy.json                  prompts, tokens and top-2 margins of greedy decoding in float32, and the times of a forward
                               in bf16 with sdpa, not compiled
Needs torch and transformers; run by test/gpu/run.sh.
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


def get_cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    a, b = a.double().flatten(), b.double().flatten()
    return float(a @ b / torch.sqrt((a @ a) * (b @ b)))


def main() -> None:
    config_path, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    device = sys.argv[3] if len(sys.argv) > 3 else "cuda"
    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
    folder.mkdir(parents=True, exist_ok=True)
    config = AutoConfig.for_model(**json.loads(config_path.read_text()))
    torch.manual_seed(7)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
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
        logits = {"sdpa": model(ids.to(device)).logits.float().cpu()}
        model.set_attn_implementation("eager")
        logits["eager"] = model(ids.to(device)).logits.float().cpu()
        model.set_attn_implementation("sdpa")
        if torch.equal(logits["sdpa"], logits["eager"]):
            sys.exit("error: sdpa and eager gave the same bits: two implementations were wanted, got one")
        save_file({"input_ids": ids}, folder / "inputs.safetensors")
        save_file({"logits": logits["sdpa"]}, folder / "expected.safetensors")
        save_file({"logits": logits["eager"]}, folder / "expected_eager.safetensors")

        times = {}
        for length in (2048,):
            batch = torch.randint(10, config.vocab_size, (1, length), generator=generator).to(device)
            samples = []
            for _ in range(8):
                synchronize()
                start = time.time()
                model(batch, logits_to_keep=1)
                synchronize()
                samples.append((time.time() - start) * 1e3)
            times[f"prefill_{length}_ms"] = sorted(samples)[len(samples) // 2]
        torch.backends.cuda.matmul.allow_tf32 = False
        logits["float32"] = model.float()(ids.to(device)).logits.cpu()
        save_file({"logits": logits["float32"]}, folder / "expected32.safetensors")
        agreement = {
            f"{a}_{b}": get_cosine(logits[a], logits[b])
            for a, b in (("sdpa", "eager"), ("sdpa", "float32"), ("eager", "float32"))
        }
        (folder / "agreement.json").write_text(json.dumps(agreement))
        for pair, cosine in agreement.items():
            a, b = pair.split("_")
            print(f"transformers, {a} in bf16 against {b + ' in bf16' if b == 'eager' else b}: cosine {cosine:.6f}", flush=True)
        prompts = ids[:, :64]
        out = model.generate(
            prompts.to(device),
            attention_mask=torch.ones_like(prompts).to(device),
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
