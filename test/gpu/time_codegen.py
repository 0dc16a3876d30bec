#!/usr/bin/env python3
"""Times generated kernels beside torch.compile's and beside a copy, on one GPU, in one process.

    time_codegen.py FK [TASK] [OPTIONS]

For each task and shape: the kernel of `fk codegen`, checked against torch in float32, the kernel that torch.compile
makes (max-autotune-no-cudagraphs) of the same formula, and torch's copy of as many bytes. Each runs 20 times inside a
CUDA graph over rotating buffers that together exceed the L2; the figure is the median over 15 replays. One line each.
TASK is one task instead of all; OPTIONS go to `fk codegen` (--threads 128). Exit status 1 where a result is wrong, or
FK_CODEGEN_COPY (default 0.85) of the copy's bandwidth or 1.0 of torch.compile's speed is missed.
"""
import ctypes
import os
import re
import statistics
import struct
import subprocess
import sys
import tempfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "emulator"))
from cuda_driver import Cuda  # noqa: E402

REPEATS, REPLAYS, ROTATION = 20, 15, 4
BF16 = torch.bfloat16


def evaluate(text, axes):
    """A launch expression of fk: integers, / rounds down."""
    functions = {"ceildiv": lambda a, b: -(-a // b), "min": min, "max": max}
    return eval(text.replace("/", "//"), {"__builtins__": {}}, {**functions, **axes})


def splitTopLevel(text):
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


def balanced(text, key):
    at = text.index(key + "=(") + len(key) + 2
    depth, end = 1, at
    while depth:
        depth += (text[end] == "(") - (text[end] == ")")
        end += 1
    return text[at:end - 1]


class Generated:
    def __init__(self, cuda, fk, task, staticAxes, axes, options):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "k.bf16.ptx")
            spec = ",".join(f"{k}={v}" for k, v in staticAxes.items())
            subprocess.run([fk, "codegen", task, "--dtype", "bf16", "--axes", spec, "-o", path, *options], check=True,
                           stdout=subprocess.DEVNULL)
            with open(path) as file:
                ptx = file.read()
        launch = next(line for line in ptx.splitlines() if line.startswith("// fk.launch:"))
        self.grid = [evaluate(e, axes) for e in splitTopLevel(balanced(launch, "grid"))]
        self.block = [evaluate(e, axes) for e in splitTopLevel(balanced(launch, "block"))]
        found = re.search(r"smem=(.*?) (?:pdl|where|cluster|workspace)=", launch + " where=")
        self.shared = evaluate(found.group(1), axes) if found else 0
        self.cuda, self.task = cuda, task
        module = cuda.load(ptx)
        self.function = ctypes.c_void_p()
        cuda.call("cuModuleGetFunction", ctypes.byref(self.function), module, task.encode())

    def __call__(self, args):
        """On torch's current stream."""
        packed = [struct.pack("<Q", a.data_ptr()) if isinstance(a, torch.Tensor) else
                  struct.pack("<f", a) if isinstance(a, float) else struct.pack("<i", a) for a in args]
        buffers = [ctypes.create_string_buffer(p, len(p)) for p in packed]
        pointers = (ctypes.c_void_p * len(buffers))(*(ctypes.addressof(b) for b in buffers))
        self.cuda.call("cuLaunchKernel", self.function, *self.grid, *self.block, self.shared,
                       ctypes.c_void_p(torch.cuda.current_stream().cuda_stream), pointers, None)


def time(call):
    """Median seconds of one call(i)."""
    for i in range(ROTATION):
        call(i)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(REPEATS):
            call(i % ROTATION)
    times = []
    for _ in range(REPLAYS + 3):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / REPEATS / 1e3)
    return statistics.median(times[3:])


def normalize(x, w):
    f = x.float()
    return (f * torch.rsqrt(f.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype) * w


def rmsNorm(x, w):
    return normalize(x, w)


def addRmsNorm(x, r, w):
    total = x + r
    return normalize(total, w), total


def layerNorm(x, w):
    return torch.nn.functional.layer_norm(x, (x.shape[-1],), w, None, 1e-5)


def softmax(x):
    return torch.softmax(x.float(), -1).to(x.dtype)


def siluAndMul(x):
    gate, up = x.chunk(2, -1)
    return torch.nn.functional.silu(gate.float()).to(x.dtype) * up


def rope(q, k, positions, table):
    half = q.shape[-1] // 2
    row = table[positions.long()]
    cos, sin = row[:, None, :half], row[:, None, half:]

    def turn(x):
        a, b = x[..., :half].float(), x[..., half:].float()
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)

    return turn(q), turn(k)


def cases():
    """task, static axes, dynamic axes, formula, inputs, shapes of the results, scalars"""
    def random(*shape):
        return torch.randn(*shape, device="cuda", dtype=torch.float32).to(BF16)

    for rows, width in ((8192, 4096), (2048, 14336)):
        w = random(width)
        yield ("rms_norm", {"hidden": width}, {"tokens": rows}, rmsNorm, lambda: [random(rows, width), w],
               [(rows, width)], [1e-6])
        yield ("add_rms_norm", {"hidden": width}, {"tokens": rows}, addRmsNorm,
               lambda: [random(rows, width), random(rows, width), w], [(rows, width)] * 2, [1e-6])
        yield ("layer_norm", {"hidden": width}, {"tokens": rows}, layerNorm, lambda: [random(rows, width), w],
               [(rows, width)], [1e-5])
        yield ("softmax", {"columns": width}, {"rows": rows}, softmax, lambda: [random(rows, width)],
               [(rows, width)], [])
        yield ("silu_and_mul", {"intermediate": width}, {"tokens": rows}, siluAndMul,
               lambda: [random(rows, 2 * width)], [(rows, width)], [])
        heads = width // 128
        positions = torch.arange(rows, device="cuda", dtype=torch.int32)
        table = torch.randn(rows, 128, device="cuda")
        yield ("rope", {"q_heads": heads, "kv_heads": 8, "head_dim": 128}, {"tokens": rows}, rope,
               lambda: [random(rows, heads, 128), random(rows, 8, 128), positions, table],
               [(rows, heads, 128), (rows, 8, 128)], [])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    only = sys.argv[2] if len(sys.argv) > 2 and not sys.argv[2].startswith("-") else ""
    options = sys.argv[3 if only else 2:]
    torch.manual_seed(7)
    torch.cuda.init()
    torch.zeros(1, device="cuda")
    cuda = Cuda()
    bar = float(os.environ.get("FK_CODEGEN_COPY", "0.85"))
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA driver API {cuda.driver}", flush=True)
    failed = 0
    for task, static, dynamic, formula, makeInputs, shapes, scalars in cases():
        if only not in ("", task):
            continue
        sets = [makeInputs() for _ in range(ROTATION)]
        outputs = [[torch.empty(s, device="cuda", dtype=BF16) for s in shapes] for _ in range(ROTATION)]
        axes = {**dynamic, **static}
        kernel = Generated(cuda, sys.argv[1], task, static, axes, options)
        compiled = torch.compile(formula, mode="max-autotune-no-cudagraphs", dynamic=False)
        wanted = formula(*[x.float() if x.dtype == BF16 else x for x in sets[0]])
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        kernel(outputs[0] + sets[0] + scalars + list(axes.values()))
        torch.cuda.synchronize()
        worst = max(((got.float() - want).abs() / (want.abs() + want.abs().mean())).max().item()
                    for got, want in zip(outputs[0], wanted))
        # Every element once: read by the inputs, written by the results.
        moved = sum(t.numel() * t.element_size() for t in sets[0] + outputs[0])
        source = [torch.empty(moved // 2, device="cuda", dtype=torch.uint8) for _ in range(ROTATION)]
        target = [torch.empty_like(s) for s in source]
        mine = time(lambda i: kernel(outputs[i] + sets[i] + scalars + list(axes.values())))
        theirs = time(lambda i: compiled(*sets[i]))
        copy = time(lambda i: target[i].copy_(source[i]))
        ofCopy, speed = copy / mine, theirs / mine
        isGood = worst < 0.02 and ofCopy >= bar and speed >= 1.0
        failed += not isGood
        shape = " x ".join(str(v) for v in shapes[0])
        print(f"{task:13} {shape:16} {mine * 1e6:7.1f} us {moved / mine / 1e12:5.2f} TB/s  {ofCopy:5.2f} of copy  "
              f"torch.compile {theirs * 1e6:7.1f} us, {speed:5.2f} x  worst {worst:.4f}" +
              ("" if isGood else "  MISSED"), flush=True)
        del sets, outputs, source, target
    print(f"{failed} missed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
