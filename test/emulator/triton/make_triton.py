#!/usr/bin/env python3
"""Compiles the kernels of kernels.py with Triton and writes them as test data.

    make_triton.py --out FOLDER [--gpu] [NAME ...]

For each kernel FOLDER gets `<name>.ptx` and `<name>.json` (Triton's own metadata,
as its cache holds it), and a case (../cases.py): `<name>.case.json`,
`<name>.inputs.safetensors`, `<name>.expected.safetensors` (numpy's answer). With
--gpu the case is run, compared, and the GPU's answer kept as
`<name>.gpu.safetensors`. Without, no GPU is needed: Triton compiles for a target
by name.

A kernel of a task's signature is a whole candidate with its two files: the grid
stands in the metadata's key "fk.launch".

Made with Triton 3.6. Needs numpy.
"""
import argparse
import json
import os
import re
import sys
import traceback

os.environ.setdefault("TRITON_DISABLE_LINE_INFO", "1")  # no paths of this machine in the PTX
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import numpy as np  # noqa: E402
import triton  # noqa: E402
from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

import cases  # noqa: E402
import kernels  # noqa: E402
from cases import Bf16  # noqa: E402

BF, F32, F16, I32 = "*bf16", "*fp32", "*fp16", "*i32"
KERNELS = {}


def kernel(name, signature, constants, arch=90, warps=4, stages=2, function=None, launch=None, aligned=(),
           bounds=None):
    """Registers a kernel; the decorated function makes
    (inputs, expected, grid, args)."""
    def register(make):
        KERNELS[name] = {"signature": signature, "constants": constants, "arch": arch, "warps": warps,
                         "stages": stages, "function": function or name, "launch": launch, "aligned": aligned,
                         "bounds": bounds or {}, "make": make}
        return make
    return register


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def poison(*shape):
    """What an output holds before: bytes that no result would have."""
    return Bf16(np.full(shape, 0x7FA5, np.uint16))


def f32(bits):
    return bits.float().astype(np.float64)


# A bf16 result may differ by one rounding.
ONE_ROUNDING = [1e-6, 2.0 ** -7]
NORM = {"input": BF, "weight": BF, "epsilon": "fp32", "tokens": "i32", "hidden": "i32"}


def norm(x, w, epsilon, centred=False):
    x = x - x.mean(1, keepdims=True) if centred else x
    return x / np.sqrt((x * x).mean(1, keepdims=True) + epsilon) * w


@kernel("rms_norm", {"result": BF, **NORM}, {"BLOCK": 512}, launch="grid=(tokens,1,1)", bounds={"result": ONE_ROUNDING})
def _():
    tokens, hidden = 3, 707
    x, w = Bf16.of(random(1, tokens, hidden)), Bf16.of(random(2, hidden))
    return ({"result": poison(tokens, hidden), "input": x, "weight": w},
            {"result": Bf16.of(norm(f32(x), f32(w), 1e-5))}, (tokens, 1, 1),
            ["result", "input", "weight", "f32:1e-5", f"i32:{tokens}", f"i32:{hidden}"])


@kernel("add_rms_norm", {"result": BF, "residual_out": BF, "input": BF, "residual": BF, **{
    k: v for k, v in NORM.items() if k != "input"}}, {"BLOCK": 256}, launch="grid=(tokens,1,1)", warps=2,
    bounds={"result": ONE_ROUNDING})
def _():
    tokens, hidden = 2, 333
    x, r, w = Bf16.of(random(3, tokens, hidden)), Bf16.of(random(4, tokens, hidden)), Bf16.of(random(5, hidden))
    total = Bf16.of(x.float() + r.float())
    return ({"result": poison(tokens, hidden), "residual_out": poison(tokens, hidden), "input": x, "residual": r,
             "weight": w},
            {"result": Bf16.of(norm(f32(total), f32(w), 1e-6)), "residual_out": total}, (tokens, 1, 1),
            ["result", "residual_out", "input", "residual", "weight", "f32:1e-6", f"i32:{tokens}", f"i32:{hidden}"])


@kernel("silu_and_mul", {"result": BF, "gate_up": BF, "tokens": "i32", "intermediate": "i32"}, {"BLOCK": 1024},
        launch="grid=(tokens,ceildiv(intermediate,1024),1) where=(intermediate <= 65535 * 1024)",
        bounds={"result": ONE_ROUNDING})
def _():
    tokens, width = 3, 1100
    x = Bf16.of(random(6, tokens, 2 * width) * 3)
    gate, up = f32(x)[:, :width], f32(x)[:, width:]
    return ({"result": poison(tokens, width), "gate_up": x}, {"result": Bf16.of(gate / (1 + np.exp(-gate)) * up)},
            (tokens, 2, 1), ["result", "gate_up", f"i32:{tokens}", f"i32:{width}"])


@kernel("softmax", {"result": BF, "input": BF, "rows": "i32", "columns": "i32"}, {"BLOCK": 256},
        launch="grid=(rows,1,1)", bounds={"result": ONE_ROUNDING})
def _():
    rows, columns = 3, 301
    x = Bf16.of(random(7, rows, columns) * 4)
    e = np.exp(f32(x) - f32(x).max(1, keepdims=True))
    return ({"result": poison(rows, columns), "input": x}, {"result": Bf16.of(e / e.sum(1, keepdims=True))},
            (rows, 1, 1), ["result", "input", f"i32:{rows}", f"i32:{columns}"])


@kernel("rope", {"query_out": BF, "key_out": BF, "query": BF, "key": BF, "positions": I32, "cos_sin": F32,
                 "tokens": "i32", "q_heads": "i32", "kv_heads": "i32", "head_dim": "i32"}, {"BLOCK": 64}, warps=2,
        launch="grid=(tokens,q_heads + kv_heads,1)",
        bounds={"query_out": [1e-2, 2.0 ** -7], "key_out": [1e-2, 2.0 ** -7]})
def _():
    tokens, q_heads, kv_heads, dim = 5, 3, 1, 48
    q, k = Bf16.of(random(8, tokens, q_heads, dim)), Bf16.of(random(9, tokens, kv_heads, dim))
    positions = np.array([7, 0, 3, 3, 9], np.int32)
    angle = np.arange(10)[:, None] / 10000 ** (np.arange(dim // 2) / (dim // 2))
    table = np.concatenate([np.cos(angle), np.sin(angle)], 1).astype(np.float32)

    def turn(x):
        a, b = f32(x)[..., :dim // 2], f32(x)[..., dim // 2:]
        c, s = (table[positions][:, None, part].astype(np.float64)
                for part in (slice(0, dim // 2), slice(dim // 2, dim)))
        return Bf16.of(np.concatenate([a * c - b * s, b * c + a * s], -1))
    return ({"query_out": poison(tokens, q_heads, dim), "key_out": poison(tokens, kv_heads, dim), "query": q, "key": k,
             "positions": positions, "cos_sin": table}, {"query_out": turn(q), "key_out": turn(k)},
            (tokens, q_heads + kv_heads, 1), ["query_out", "key_out", "query", "key", "positions", "cos_sin",
                                              f"i32:{tokens}", f"i32:{q_heads}", f"i32:{kv_heads}", f"i32:{dim}"])


@kernel("layer_norm", {"result": BF, **NORM}, {"BLOCK": 512}, launch="grid=(tokens,1,1)", warps=8,
        bounds={"result": [2e-3, 2.0 ** -7]})
def _():
    tokens, hidden = 2, 515
    x, w = Bf16.of(random(10, tokens, hidden) + 0.5), Bf16.of(random(11, hidden))
    return ({"result": poison(tokens, hidden), "input": x, "weight": w},
            {"result": Bf16.of(norm(f32(x), f32(w), 1e-5, centred=True))}, (tokens, 1, 1),
            ["result", "input", "weight", "f32:1e-5", f"i32:{tokens}", f"i32:{hidden}"])


LINEAR = {"result": BF, "input": BF, "weight": BF, "tokens": "i32", "out_features": "i32", "in_features": "i32"}


def makeLinear():
    tokens, out, depth = 67, 50, 75
    x, w = Bf16.of(random(12, tokens, depth)), Bf16.of(random(13, out, depth))
    return ({"result": poison(tokens, out), "input": x, "weight": w}, {"result": Bf16.of(f32(x) @ f32(w).T)},
            (2, 1, 1), ["result", "input", "weight", f"i32:{tokens}", f"i32:{out}", f"i32:{depth}"])


TILED = "grid=(ceildiv(tokens,64),ceildiv(out_features,64),1)"
kernel("linear", LINEAR, {"ROWS": 64, "COLUMNS": 64, "DEPTH": 32}, launch=TILED,
       bounds={"result": [1e-4, 2.0 ** -7]})(makeLinear)
kernel("linear_sm80", LINEAR, {"ROWS": 64, "COLUMNS": 64, "DEPTH": 32}, arch=80, function="linear", launch=TILED,
       bounds={"result": [1e-4, 2.0 ** -7]})(makeLinear)


def makeTiles(dtype, rows, columns, depth):
    def make():
        rng = np.random.default_rng(14)
        a, b = rng.integers(-4, 5, (rows, depth)), rng.integers(-4, 5, (depth, columns))
        cast = (lambda x: Bf16.of(x.astype(np.float32))) if dtype == "bf16" else (lambda x: x.astype(dtype))
        return ({"result": np.full((rows, columns), -1, np.float32), "a": cast(a), "b": cast(b)},
                {"result": (a @ b).astype(np.float32)}, (1, 1, 1), ["result", "a", "b", f"i32:{depth}"])
    return make


TILES = {"result": F32, "a": F16, "b": F16, "depth": "i32"}
kernel("matmul_wgmma", TILES, {"ROWS": 64, "COLUMNS": 64, "DEPTH": 64}, function="matmul_tiles", stages=3,
       aligned=("depth",))(makeTiles(np.float16, 64, 64, 128))
kernel("matmul_mma", {**TILES, "a": BF, "b": BF}, {"ROWS": 32, "COLUMNS": 64, "DEPTH": 32}, arch=80, stages=3,
       function="matmul_tiles", aligned=("depth",))(makeTiles("bf16", 32, 64, 128))
kernel("matmul_tf32", {**TILES, "a": F32, "b": F32}, {"ROWS": 32, "COLUMNS": 32, "DEPTH": 32}, arch=80,
       function="matmul_tiles", aligned=("depth",))(makeTiles(np.float32, 32, 32, 64))


@kernel("histogram", {"counts": I32, "sums": F32, "values": I32, "weights": F32, "count": "i32", "bins": "i32"},
        {"BLOCK": 256})
def _():
    count, bins = 700, 37
    rng = np.random.default_rng(15)
    values, weights = rng.integers(0, 1000, count).astype(np.int32), rng.integers(0, 50, count).astype(np.float32)
    counts, sums = np.zeros(bins, np.int32), np.zeros(bins, np.float32)
    return ({"counts": counts, "sums": sums, "values": values, "weights": weights},
            {"counts": np.bincount(values % bins, minlength=bins).astype(np.int32),
             "sums": np.bincount(values % bins, weights, bins).astype(np.float32)}, (3, 1, 1),
            ["counts", "sums", "values", "weights", f"i32:{count}", f"i32:{bins}"])


@kernel("masked_scale", {"result": F32, "input": F32, "count": "i32"}, {"BLOCK": 512})
def _():
    count = 777
    x = random(16, count)
    return ({"result": np.zeros(count, np.float32), "input": x}, {"result": np.where(x > 0, x * 2, x - 1)},
            (2, 1, 1), ["result", "input", f"i32:{count}"])


@kernel("cumulative", {"result": I32, "largest": I32, "input": I32, "columns": "i32"}, {"BLOCK": 512})
def _():
    rows, columns = 2, 400
    x = np.random.default_rng(17).integers(-1000, 1000, (rows, columns)).astype(np.int32)
    return ({"result": np.zeros_like(x), "largest": np.zeros(rows, np.int32), "input": x},
            {"result": x.cumsum(1).astype(np.int32), "largest": x.argmax(1).astype(np.int32)}, (rows, 1, 1),
            ["result", "largest", "input", f"i32:{columns}"])


def philox(seed, counter):
    """The first word of Philox 4x32-10, key (seed, 0), counter (counter, 0, 0, 0)."""
    mask = np.uint64(0xFFFFFFFF)
    c = [counter.astype(np.uint64)] + [np.zeros_like(counter, np.uint64)] * 3
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), b & mask, (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k1),
             a & mask]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c[0].astype(np.uint32)


@kernel("dropout", {"result": F32, "input": F32, "seed": "i32", "threshold": "i32", "count": "i32"}, {"BLOCK": 256})
def _():
    count, seed, threshold = 500, 1234, 1 << 30
    x = random(18, count)
    keep = philox(seed, np.arange(count)) >= threshold
    return ({"result": np.full(count, 9, np.float32), "input": x}, {"result": np.where(keep, x, np.float32(0))},
            (2, 1, 1), ["result", "input", f"i32:{seed}", f"i32:{threshold}", f"i32:{count}"])


@kernel("sorted_rows", {"result": I32, "input": I32}, {"columns": 128}, warps=1)
def _():
    x = np.random.default_rng(19).integers(-10 ** 9, 10 ** 9, (2, 128)).astype(np.int32)
    return {"result": np.zeros_like(x), "input": x}, {"result": np.sort(x, 1)}, (2, 1, 1), ["result", "input"]


@kernel("attention_tile", {"result": F16, "query": F16, "key": F16, "value": F16, "length": "i32", "scale": "fp32"},
        {"ROWS": 64, "COLUMNS": 32, "DIM": 32}, bounds={"result": [2e-3, 4e-3]})
def _():
    length, dim, rows = 75, 32, 64
    q, k, v = (random(20 + n, size, dim).astype(np.float16) for n, size in enumerate((rows, length, length)))
    scale = float(np.float32(dim ** -0.5 * 1.4426950408889634))
    scores = np.exp2(q.astype(np.float64) @ k.astype(np.float64).T * scale)
    out = scores @ v.astype(np.float64) / scores.sum(1, keepdims=True)
    return ({"result": np.full((rows, dim), -9, np.float16), "query": q, "key": k, "value": v},
            {"result": out.astype(np.float16)}, (1, 1, 1),
            ["result", "query", "key", "value", f"i32:{length}", f"f32:{scale!r}"])


def withoutPaths(value):
    """Of a library only its name: nothing of this machine in the metadata."""
    if isinstance(value, str) and "/" in value:
        return os.path.basename(value)
    if isinstance(value, (list, tuple)):
        return [withoutPaths(item) for item in value]
    if isinstance(value, dict):
        return {key: withoutPaths(item) for key, item in value.items()}
    return value


def plain(value):
    """For json: targets and the like as their fields."""
    return getattr(value, "__dict__", None) or str(value)


def build(name, spec, folder):
    function = getattr(kernels, spec["function"])
    signature = {**spec["signature"], **{key: "constexpr" for key in spec["constants"]}}
    order = function.arg_names
    assert list(signature) == list(order), (list(signature), order)
    # fk aligns tensors to 16 bytes; extents are known to be multiples only where a case says so.
    attributes = {(order.index(key),): [["tt.divisibility", 16]] for key, t in spec["signature"].items()
                  if t.startswith("*") or key in spec["aligned"]}
    source = ASTSource(fn=function, signature=signature, constexprs=spec["constants"], attrs=attributes)
    compiled = triton.compile(source, target=GPUTarget("cuda", spec["arch"], 32),
                              options={"num_warps": spec["warps"], "num_stages": spec["stages"]})
    ptx = compiled.asm["ptx"]
    ptx = re.sub(r'^\s*\.(file|loc)\b.*\n', "", ptx, flags=re.M)
    assert not re.search(r'"/|/home|/root|/tmp|/usr', ptx), "a path is left in the PTX"
    metadata = withoutPaths(json.loads(json.dumps(compiled.metadata._asdict(), default=plain)))
    if spec["launch"]:
        metadata["fk.launch"] = spec["launch"]
    with open(os.path.join(folder, f"{name}.ptx"), "w") as file:
        file.write(ptx)
    with open(os.path.join(folder, f"{name}.json"), "w") as file:
        json.dump(metadata, file, indent=1, sort_keys=True)
        file.write("\n")

    entry = re.search(r"\.entry\s+(\w+)\s*\(([^)]*)\)", ptx)
    parameters = len([p for p in entry.group(2).split(",") if ".param" in p])
    inputs, expected, grid, args = spec["make"]()
    args = args + ["null"] * (parameters - len(args))  # Triton's scratch
    case = {"ptx": f"{name}.ptx", "entry": entry.group(1), "grid": list(grid), "block": [32 * metadata["num_warps"], 1, 1],
            "shared": metadata["shared"], "args": args}
    if spec["bounds"]:
        case["tolerance"] = spec["bounds"]
    cases.writeCase(folder, name, case, inputs, expected)
    scratch = (metadata.get("global_scratch_size") or 0) + (metadata.get("profile_scratch_size") or 0)
    return f"{len(ptx)} bytes, {metadata['shared']} shared" + (f", SCRATCH {scratch}" if scratch else "")


def main():
    parser = argparse.ArgumentParser(description="Compiles Triton kernels into test data.")
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("--gpu", action="store_true", help="run them, keep the GPU's answers")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    bad = 0
    cuda = None
    if options.gpu:
        import run_gpu
        from cuda_driver import Cuda
        cuda = Cuda()
        print(f"Triton {triton.__version__} on {cuda.name}")
    for name in options.names or KERNELS:
        try:
            text = build(name, KERNELS[name], options.out)
            wrong = []
            if cuda:
                wrong = run_gpu.runCase(cuda, os.path.join(options.out, f"{name}.case.json"), options.out)
            print(f"{name}: {'WRONG' if wrong else 'right' if cuda else 'compiled'}, {text}" +
                  "".join(f"\n  {line}" for line in wrong))
            bad += bool(wrong)
        except Exception:  # one bad kernel must not hide the others
            print(f"{name}: FAILED")
            traceback.print_exc()
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
