#!/usr/bin/env python3
"""Makes the golden checkpoints: tiny random models and what transformers says of them.

    python make_goldens.py [name ...]

Every folder beside this script holds a model as a user would download it (config.json,
generation_config.json, *.safetensors), and

    inputs.safetensors     what the forward gets: input_ids, attention_mask, position_ids, ...
    expected.safetensors   what it returns, run in float32 and, as NAME.bfloat16, in bfloat16;
                           rows that the mask hides are zero
    greedy.json            decoders: prompts, 24 greedy tokens each, and at every step the margin
                           between the two largest logits over the largest magnitude, in float32

and for some the same again under another prefix: `long.` where the rotary table depends on the
length of the batch, `left.` with padding on the left. Sequences of greedy.json stay on one side of
that length. Written with torch 2.11 and transformers 5.17 on a CPU; neither is
needed to build or to test fk.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
NEW_TOKENS = 24
TINY = dict(vocab_size=256, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
            bos_token_id=1, eos_token_id=2, pad_token_id=0)


def draw(model, seed):
    """Weights large enough that attention picks and that the top two logits differ."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            noise = torch.randn(weight.shape, generator=generator)
            if name.endswith("norm.weight") or "layernorm.weight" in name or "LayerNorm.weight" in name:
                offset = 0.0 if "Gemma" in type(model).__name__ else 1.0
                weight.copy_(offset + 0.2 * noise)
            elif name.endswith("bias"):
                weight.copy_(0.2 * noise)
            elif "embed" in name or "lm_head" in name:
                # Tied to the head, a large embedding would only ever repeat the last token.
                tied = model.config.tie_word_embeddings and "lm_head" in dict(model.named_modules())
                scale = 0.15 if tied else 0.5
                if "Gemma" in type(model).__name__:
                    scale /= model.config.hidden_size ** 0.5
                weight.copy_(scale * noise)
            else:
                weight.copy_(noise * 1.2 / weight.shape[1] ** 0.5)


def prompts(vocab, lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, vocab, (n,), generator=generator).tolist() for n in lengths]


def pad(sequences, pad_id, side="right"):
    width = max(map(len, sequences))
    ids = torch.full((len(sequences), width), pad_id)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        at = 0 if side == "right" else width - len(sequence)
        ids[row, at:at + len(sequence)] = torch.tensor(sequence)
        mask[row, at:at + len(sequence)] = 1
    return ids, mask


def run(folder, auto, inputs, names):
    """The forward in both dtypes, rows that the mask hides set to zero."""
    expected = {}
    for dtype, suffix in ((torch.float32, ""), (torch.bfloat16, ".bfloat16")):
        model = auto.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
        with torch.no_grad():
            output = model(**inputs)
        for name in names:
            value = output[name].float()
            if value.dim() == 3 and "attention_mask" in inputs:
                value = value * inputs["attention_mask"][:, :, None]
            expected[name + suffix] = value.contiguous()
    return expected


def greedy(folder, vocab, lengths, seed):
    """Token by token over a growing context: no batching, no padding, no cache. Prompts are drawn
    until no step is a near tie, no token ends the sequence and the answer does not just repeat."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    answers = {"prompts": [], "tokens": [], "margins": []}
    for length in lengths:
        for attempt in range(100):
            prompt, = prompts(vocab, [length], 1000 * seed + attempt)
            sequence, margins = list(prompt), []
            for _ in range(NEW_TOKENS):
                with torch.no_grad():
                    logits = model(torch.tensor([sequence])).logits[0, -1]
                top = torch.topk(logits, 2)
                margins.append(round(float((top.values[0] - top.values[1]) / logits.abs().max()), 6))
                sequence.append(int(top.indices[0]))
                if margins[-1] < 0.002 or sequence[-1] == 2:
                    break
            tokens = sequence[length:]
            if len(tokens) == NEW_TOKENS and min(margins) >= 0.002 and 2 not in tokens and len(set(tokens)) >= 6:
                break
        else:
            raise RuntimeError("no prompt without a near tie")
        answers["prompts"].append(prompt)
        answers["tokens"].append(tokens)
        answers["margins"].append(margins)
    return answers


def as_on_the_hub(folder, **changes):
    """Rewrites config.json in the spelling of older hub files."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters", None)
    if rope is not None:
        config["rope_theta"] = rope.pop("rope_theta")
        kind = rope.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {changes.pop("spelling", "rope_type"): kind, **rope}
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.43.0"
    config.update(changes)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_inputs(folder, prefix, inputs, auto, names):
    save_file({k: v.contiguous() for k, v in inputs.items()}, folder / (prefix + "inputs.safetensors"))
    save_file(run(folder, auto, inputs, names), folder / (prefix + "expected.safetensors"))


def decoder(name, config, seed, dtype=torch.bfloat16, lengths=(9, 5), left=False, shards=None, hub=None,
            greedy_lengths=(7, 1, 12), long=None, long_greedy=None, positions=False):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    auto = transformers.AutoModelForCausalLM
    model = auto.from_config(config)
    draw(model, seed)
    model.to(dtype).save_pretrained(folder, max_shard_size=shards or "1GB")
    if hub is not None:
        as_on_the_hub(folder, **hub)
    ids, mask = pad(prompts(config.vocab_size, lengths, seed), config.pad_token_id or 0)
    inputs = {"input_ids": ids, "attention_mask": mask}
    if len(set(lengths)) == 1:
        del inputs["attention_mask"]
    if positions:
        # Positions that are not the default ones: every other row of the table.
        inputs["position_ids"] = torch.arange(ids.shape[1])[None].repeat(ids.shape[0], 1) * 2 + 3
    write_inputs(folder, "", inputs, auto, ["logits"])
    if left:
        ids, mask = pad(prompts(config.vocab_size, lengths, seed + 1), config.pad_token_id or 0, "left")
        position_ids = (mask.cumsum(-1) - 1).clamp(min=0)
        write_inputs(folder, "left.", {"input_ids": ids, "attention_mask": mask, "position_ids": position_ids},
                     auto, ["logits"])
    if long:
        ids, mask = pad(prompts(config.vocab_size, long, seed + 2), config.pad_token_id or 0)
        write_inputs(folder, "long.", {"input_ids": ids, "attention_mask": mask}, auto, ["logits"])
    answers = greedy(folder, config.vocab_size, greedy_lengths, seed)
    (folder / "greedy.json").write_text(json.dumps(answers) + "\n")
    if long_greedy:
        more = greedy(folder, config.vocab_size, long_greedy, seed + 50)
        (folder / "long.greedy.json").write_text(json.dumps(more) + "\n")
    report(folder, answers)


def encoder(name, config, seed, dtype=torch.float32, lengths=(11, 4, 7), token_types=False, pooling=None,
            with_pooler=True, prefix=""):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    model = transformers.AutoModel.from_config(config, add_pooling_layer=with_pooler)
    draw(model, seed)
    model.to(dtype).save_pretrained(folder)
    ids, mask = pad(prompts(config.vocab_size, lengths, seed), config.pad_token_id)
    inputs = {"input_ids": ids, "attention_mask": mask}
    if token_types:
        inputs["token_type_ids"] = ((torch.arange(ids.shape[1]) > 3).long()[None] * mask)
    names = ["last_hidden_state"] + (["pooler_output"] if with_pooler else [])
    class Auto:
        @staticmethod
        def from_pretrained(*args, **kwargs):
            return transformers.AutoModel.from_pretrained(*args, add_pooling_layer=with_pooler, **kwargs)
    expected = run(folder, Auto, inputs, names)
    for suffix in ("", ".bfloat16"):
        rows = expected["last_hidden_state" + suffix]
        pooled = rows[:, 0]
        if pooling == "mean":
            pooled = rows.sum(1) / mask.sum(1)[:, None]
        expected["sentence_embedding" + suffix] = torch.nn.functional.normalize(pooled, dim=-1)
    save_file(inputs, folder / "inputs.safetensors")
    save_file(expected, folder / "expected.safetensors")
    if prefix:
        # As a checkpoint of the model with a head names them.
        weights = {prefix + k: v for k, v in load_file(folder / "model.safetensors").items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    if pooling:
        # As sentence-transformers lays a model out.
        (folder / "modules.json").write_text(json.dumps([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ], indent=2) + "\n")
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({
            "word_embedding_dimension": config.hidden_size,
            "pooling_mode_cls_token": pooling == "cls",
            "pooling_mode_mean_tokens": pooling == "mean",
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        }, indent=2) + "\n")
    report(folder, None)


def report(folder, answers):
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    least = f"least margin {min(map(min, answers['margins'])):.4f}" if answers else ""
    print(f"{folder.name:16} {size / 1024:6.0f} KB  {least}", flush=True)
    assert size <= 600 * 1024, "too large to commit"


def longrope(pairs, seed):
    generator = torch.Generator().manual_seed(seed)
    steps = torch.rand(pairs, generator=generator)
    return {"rope_type": "longrope", "rope_theta": 10000.0,
            "short_factor": [round(1 + 0.3 * float(x), 4) for x in steps],
            "long_factor": [round(1 + 3 * float(x) * (i + 1), 4) for i, x in enumerate(steps)]}


def llama(rope, **changes):
    return transformers.LlamaConfig(**{**TINY, **changes}, rope_parameters=rope)


def make_decoders():
    llama3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    plain = {"rope_type": "default", "rope_theta": 10000.0}
    yield "llama", lambda n: decoder(n, llama(llama3), 1, left=True)
    yield "llama-hub", lambda n: decoder(
        n, llama(llama3, num_attention_heads=8, num_key_value_heads=1, num_hidden_layers=3), 2,
        dtype=torch.float16, hub=dict(pretraining_tp=1), positions=True)
    yield "llama-bias", lambda n: decoder(
        n, llama(plain, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, num_key_value_heads=4), 3,
        dtype=torch.float32)
    yield "llama-linear", lambda n: decoder(
        n, llama({"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}), 4,
        hub=dict(spelling="type"), lengths=(8, 8))
    yield "llama-dynamic", lambda n: decoder(
        n, llama({"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}, max_position_embeddings=32), 5,
        lengths=(9, 5), long=(48, 20), greedy_lengths=(4, 8))
    yield "llama-yarn", lambda n: decoder(
        n, llama({"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
                  "original_max_position_embeddings": 128}), 6, long=(40, 3))
    yield "mistral", lambda n: decoder(
        n, transformers.MistralConfig(**TINY, sliding_window=6, rope_parameters=plain), 7,
        dtype=torch.float16, lengths=(20, 9), greedy_lengths=(17, 3), left=True)
    yield "mistral-full", lambda n: decoder(
        n, transformers.MistralConfig(**{**TINY, "head_dim": 32}, sliding_window=None, rope_parameters=plain), 8,
        hub={})
    yield "qwen2", lambda n: decoder(
        n, transformers.Qwen2Config(**{**TINY, "num_hidden_layers": 3}, rope_parameters={
            "rope_type": "default", "rope_theta": 1000000.0}), 9, shards="60KB")
    yield "qwen2-window", lambda n: decoder(
        n, transformers.Qwen2Config(**{**TINY, "num_hidden_layers": 3}, use_sliding_window=True, sliding_window=5,
                                    max_window_layers=1, tie_word_embeddings=True,
                                    rope_parameters=plain), 10, lengths=(14, 10))
    yield "qwen3", lambda n: decoder(
        n, transformers.Qwen3Config(**TINY, head_dim=24, tie_word_embeddings=True, rope_parameters=plain), 11)
    yield "gemma", lambda n: decoder(
        n, transformers.GemmaConfig(**{**TINY, "num_key_value_heads": 1, "head_dim": 32}, rope_parameters=plain), 12,
        left=True)
    long = longrope(8, 13)
    yield "phi3", lambda n: decoder(
        n, transformers.Phi3Config(**{**TINY, "max_position_embeddings": 128}, rope_parameters=dict(long),
                                   original_max_position_embeddings=32, sliding_window=24), 13,
        long=(50, 9), greedy_lengths=(5, 2), long_greedy=(40, 33), hub=dict(spelling="type"))
    yield "phi3-partial", lambda n: decoder(
        n, transformers.Phi3Config(**TINY, rope_parameters={**plain, "partial_rotary_factor": 0.5}), 14,
        dtype=torch.float32)


def make_encoders():
    sizes = dict(vocab_size=256, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                 max_position_embeddings=48)
    yield "bert", lambda n: encoder(n, transformers.BertConfig(**sizes), 21, token_types=True, pooling="mean")
    yield "bert-head", lambda n: encoder(
        n, transformers.BertConfig(**sizes, hidden_act="gelu_new"), 22, dtype=torch.bfloat16, with_pooler=False,
        prefix="bert.")
    yield "xlm-roberta", lambda n: encoder(
        n, transformers.XLMRobertaConfig(**sizes, type_vocab_size=1, layer_norm_eps=1e-5), 23, pooling="cls")


def main():
    assert transformers.__version__.startswith("5."), "made with transformers 5"
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    wanted = sys.argv[1:]
    for name, make in [*make_decoders(), *make_encoders()]:
        if not wanted or name in wanted:
            make(name)


if __name__ == "__main__":
    main()
