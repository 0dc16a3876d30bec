#!/usr/bin/env python3
"""Writes the cases of the PTX files beside it: inputs, numpy's answer, a launch.

    make_cases.py [--out FOLDER]

`<kernel>.inputs.safetensors` and `<kernel>.expected.safetensors` serve every
compiler's `<kernel>.<compiler>.ptx`, each of which gets its `.case.json`
(../cases.py). Deterministic. Needs numpy.

Results are exact but where a kernel's tolerance says otherwise: floats are whole
numbers where a compiler may fuse a product into a sum.
"""
import argparse
import math
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import numpy as np  # noqa: E402

import cases  # noqa: E402
from cases import Bf16  # noqa: E402

f32, f64, i32, i64, u8, u16, u32, u64 = (np.float32, np.float64, np.int32, np.int64, np.uint8, np.uint16, np.uint32,
                                         np.uint64)
KERNELS = {}
M32, M64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


def kernel(grid, block, **rest):
    """The decorated function makes (inputs, expected, args)."""
    def register(make):
        KERNELS[make.__name__] = {"grid": (list(grid) + [1, 1])[:3], "block": (list(block) + [1, 1])[:3], "make": make,
                                  **rest}
        return make
    return register


def rng(seed):
    return np.random.default_rng(seed)


def wholes(seed, *shape, top=9):
    return rng(seed).integers(-top, top + 1, shape).astype(f32)


def signed(x, bits=32):
    x &= (1 << bits) - 1
    return x - (1 << bits) if x >> (bits - 1) else x


def quotient(a, b):
    """As C divides: towards zero."""
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def remainder(a, b):
    return a - quotient(a, b) * b


@kernel((4,), (256,))
def vector_add():
    a, b = rng(1).standard_normal(1000).astype(f32), rng(2).standard_normal(1000).astype(f32)
    return {"c": np.full(1000, -1, f32), "a": a, "b": b}, {"c": a + b}, ["c", "a", "b", "i32:1000"]


@kernel((3,), (64,))
def saxpy():
    x, y = wholes(3, 501, top=1000).astype(f64), wholes(4, 501, top=1000).astype(f64)
    return {"y": y, "x": x}, {"y": 2.5 * x + y}, ["y", "x", "f64:2.5", "i64:501"]


@kernel((3,), (128,))
def reduce_sum():
    values = rng(5).integers(-2 ** 31, 2 ** 31, 1500).astype(i32)
    return ({"total": np.zeros(1, u64), "values": values}, {"total": values.astype(i64).sum(keepdims=True).view(u64)},
            ["total", "values", "i32:1500"])


@kernel((2, 2), (32, 8))
def transpose():
    a = rng(6).standard_normal((37, 50)).astype(f32)
    return {"out": np.zeros((50, 37), f32), "in": a}, {"out": np.ascontiguousarray(a.T)}, ["out", "in", "i32:50",
                                                                                           "i32:37"]


@kernel((3,), (96,))
def histogram():
    values = (rng(7).standard_normal(1003) * 40 + 128).clip(0, 255).astype(u8)
    start = np.arange(256, dtype=u32)
    return ({"bins": start, "values": values}, {"bins": start + np.bincount(values, minlength=256).astype(u32)},
            ["bins", "values", "i32:1003"])


@kernel((3, 5), (16, 4))
def stencil():
    a = wholes(8, 19, 37)
    out = a.copy()
    out[1:-1, 1:-1] = (a[1:-1, :-2] + a[1:-1, 2:] + a[:-2, 1:-1] + a[2:, 1:-1] - 4 * a[1:-1, 1:-1])
    return {"out": np.full((19, 37), 77, f32), "in": a}, {"out": out}, ["out", "in", "i32:37", "i32:19"]


@kernel((3,), (128,), shared=1024)
def prefix_scan():
    a = rng(9).integers(-2 ** 30, 2 ** 30, 300).astype(i32)
    out = np.concatenate([a[k:k + 128].cumsum(dtype=i32) for k in range(0, 300, 128)])
    return {"out": np.zeros(300, i32), "in": a}, {"out": out}, ["out", "in", "i32:300"]


@kernel((2, 3), (16, 16))
def matmul_tiled():
    m, n, k = 35, 21, 29
    a, b = wholes(10, m, k), wholes(11, k, n)
    return ({"c": np.full((m, n), -1, f32), "a": a, "b": b}, {"c": a @ b},
            ["c", "a", "b", f"i32:{m}", f"i32:{n}", f"i32:{k}"])


@kernel((1,), (32,))
def mma_matmul():
    a, b = wholes(12, 16, 48).astype(np.float16), wholes(13, 48, 8).astype(np.float16)
    return ({"c": np.zeros((16, 8), f32), "a": a, "b": b}, {"c": a.astype(f32) @ b.astype(f32)},
            ["c", "a", "b", "i32:48"])


@kernel((3,), (64,), tolerance={"out": [1e-8, 2e-5]})
def softmax_rows():
    a = (rng(14).standard_normal((3, 150)) * 3).astype(f32)
    e = np.exp(a.astype(f64) - a.max(1, keepdims=True))
    return ({"out": np.zeros_like(a), "in": a}, {"out": (e / e.sum(1, keepdims=True)).astype(f32)},
            ["out", "in", "i32:150"])


@kernel((2,), (32,), tolerance={"out": [2e-6, 2e-6]})
def layernorm_rows():
    a, w, b = (rng(15).standard_normal(s).astype(f32) for s in ((2, 99), 99, 99))
    x = a.astype(f64)
    y = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + f32(1e-5)) * w + b
    return ({"out": np.zeros_like(a), "in": a, "weight": w, "bias": b}, {"out": y.astype(f32)},
            ["out", "in", "weight", "bias", "f32:1e-5", "i32:99"])


@kernel((2,), (64,))
def bitonic_sort():
    keys = np.stack([rng(16 + k).permutation(1000)[:128] - 500 for k in range(2)]).astype(i32)
    values = np.arange(256, dtype=u16).reshape(2, 128)
    order = keys.argsort(1)
    return ({"keys": keys, "values": values}, {"keys": np.take_along_axis(keys, order, 1),
                                               "values": np.take_along_axis(values, order, 1)}, ["keys", "values"])


@kernel((2,), (64,))
def bit_tricks():
    a, b = (rng(18 + k).integers(0, 2 ** 32, 128).astype(u32) for k in range(2))
    a[:4], b[:4] = (0, 1, M32, 1 << 31), (0, M32, 1, 1 << 31)
    out = []
    for x, y in zip(map(int, a), map(int, b)):
        low = (x & -x).bit_length()
        both = y << 32 | x
        data = both.to_bytes(8, "little")
        six = signed(x, 24) * signed(y, 24)
        out += [x.bit_count() | (32 - y.bit_length()) << 8 | low << 16, int(f"{x:032b}"[::-1], 2),
                int.from_bytes(bytes(data[s] for s in (5, 1, 6, 3)), "little"), both << (y & 31) >> 32,
                both >> min(y % 40, 32), (x & y) | ((~x & (y << 3)) ^ (x >> 5)), (x * y >> 32) + six,
                (x << 32 | y).bit_count() ^ (64 - (y >> 3).bit_length())]
    return ({"out": np.zeros(1024, u32), "a": a, "b": b}, {"out": np.array([o & M32 for o in out], u32)},
            ["out", "a", "b"])


@kernel((2,), (32,))
def hash64():
    a = rng(20).integers(0, 2 ** 63, 64).astype(u64) * u64(2) + u64(1)
    out = []
    for h in map(int, a):
        s = 0
        for r in range(9):
            h ^= h >> 33
            h = h * 0xFF51AFD7ED558CCD & M64
            h = (h << 27 | h >> 37) & M64
            h = h + ((h * 0xC4CEB9FE1A85EC53 >> 64) ^ (h % 1000003)) & M64
            s = signed(s + quotient(signed(h, 64), r * 7 + 3), 64)
            s ^= remainder(signed(h, 64), -5 - r)
        out += [h, s & M64]
    return {"out": np.zeros(128, u64), "in": a}, {"out": np.array(out, u64)}, ["out", "in", "i32:9"]


@kernel((2,), (64,), tolerance={"out": [1e-12, 1e-12]})
def polynomial():
    x = rng(21).uniform(-2, 2, 128)
    c = rng(22).standard_normal(8)
    y = sum(c[k] * x ** k for k in range(8))
    return ({"out": np.zeros(128), "in": x, "coefficients": c},
            {"out": np.sqrt(y * y + 1) / (1 + np.abs(x)) + np.rint(x) - np.floor(x * 0.5)},
            ["out", "in", "coefficients", "i32:7"])


@kernel((2,), (32,))
def half2_math():
    x, y, z = (rng(23 + k).standard_normal((64, 2)).astype(np.float16) for k in range(3))
    wide = [v.astype(f64) for v in (x, y, z)]
    mixed = np.stack([x[:, 0].astype(f32) * f32(0.5), y[:, 1].astype(f32) * f32(3)], 1)
    out = np.stack([x + y, x * y, (wide[0] * wide[1] + wide[2]).astype(np.float16), np.maximum(x, -y),
                    mixed.astype(np.float16), (x > y).astype(np.float16)], 1)
    return {"out": np.zeros_like(out), "a": x, "b": y, "c": z}, {"out": out}, ["out", "a", "b", "c"]


def bf16OfDouble(x):
    """Rounded once; finite numbers of bf16's range."""
    bits = np.ascontiguousarray(x, f64).view(u64)
    bits = (bits + u64((1 << 44) - 1) + (bits >> u64(45) & u64(1))) & ~u64((1 << 45) - 1)
    return Bf16.of(bits.view(f64).astype(f32))


@kernel((2,), (32,))
def bf16x2_math():
    x, y, z = (Bf16.of(rng(26 + k).standard_normal((64, 2)).astype(f32)) for k in range(3))
    a, b, c = (v.float() for v in (x, y, z))
    fused = a.astype(f64) * b + c
    pair = np.stack([a[:, 0] * a[:, 1], a[:, 0] - a[:, 1]], 1)
    parts = [bf16OfDouble(fused), Bf16.of(np.minimum(a, np.abs(b))), Bf16.of(pair),
             bf16OfDouble(np.maximum(fused, 0))]
    out = Bf16(np.stack([p.bits for p in parts], 1))
    return ({"out": Bf16(np.zeros(out.shape, u16)), "a": x, "b": y, "c": z}, {"out": out}, ["out", "a", "b", "c"])


@kernel((2,), (32,))
def switch_table():
    length = 24
    programs = rng(29).integers(0, 12, (64, length)).astype(u8)
    out = []
    for t, program in enumerate(programs):
        a, b, at, steps = t + 1, 3, 0, 0
        while at < length and steps < 200:
            op = int(program[at])
            if op == 0:
                a += b
            elif op == 1:
                a *= 3
            elif op == 2:
                b ^= a
            elif op == 3:
                b = remainder(a, 17) - b
            elif op == 4:
                a >>= 1
            elif op in (5, 6):
                a = -a if op == 5 else a
                b += 5
            elif op == 7:
                at += 2 if a > b else 0
            elif op == 8:
                a = a & 0xFFFF | b << 16
            elif op == 9:
                at = length
            else:
                a ^= 0x55
            a, b, at, steps = signed(a), signed(b), at + 1, steps + 1
        out += [a, b]
    return ({"out": np.zeros(128, i32), "program": programs}, {"out": np.array(out, i32)},
            ["out", "program", f"i32:{length}"])


def ackermann(m, n):
    return n + 1 if m == 0 else ackermann(m - 1, 1 if n == 0 else ackermann(m, n - 1))


@kernel((2,), (32,))
def calls():
    values = rng(30).integers(-2 ** 31 + 1, 2 ** 31, 64).astype(i32)
    out = []
    for t, x in enumerate(map(int, values)):
        digits, rest = [0] * 10, abs(x)
        for count in range(10):
            digits[count * 7 % 10] = rest % 10
            rest //= 10
        by = t % 5 + 2
        y = remainder(x, 1000)
        out += [sum(d * (i + 1) for i, d in enumerate(digits)), quotient(x, by), t % by + remainder(x, by),
                ackermann(t % 3, t % 5), (2 * y, y * y, -y)[(x & M32) % 3]]
    return {"out": np.zeros(320, i32), "in": values}, {"out": np.array(out, i32)}, ["out", "in"]


@kernel((1,), (32,), entry="print_values",
        prints="7 values, first 0.125, text z    42|-7    |0000beef\nwide 1234567890123 1.500000e+00 100%\n")
def printf():
    values = np.array([0.125, 1.5, -2.75, 1e6, -0.5, 3, 99.99], f32)
    return {"out": np.full(7, -1, i32), "in": values}, {"out": values.astype(i32)}, ["out", "in", "i32:7"]


@kernel((2,), (64,))
def warp_votes():
    values = rng(31).integers(-50, 120, 128).astype(i32)
    values[32:64] = rng(32).integers(0, 50, 32)
    values[96:] = 7
    out = np.zeros((128, 8), i64)
    for w in range(4):
        x = [int(v) for v in values[32 * w:32 * w + 32]]
        ballot = sum(1 << k for k in range(32) if x[k] > 0)
        alike = len({quotient(v, 1000) for v in x}) == 1
        for k in range(32):
            up = k - 3 if k % 16 >= 3 else k
            down = k + (1 if k % 3 else 2)
            out[32 * w + k] = (
                ballot, all(v < 100 for v in x) | (3 in x) << 1 | 4,
                sum(1 << j for j in range(32) if remainder(x[j], 4) == remainder(x[k], 4)),
                (M32 if alike else 0) + alike, x[up], x[x[k] & 31],
                x[k ^ 5] if k < 16 else sum(x[16:]), 3 * (down if down < 32 else k))
    return ({"out": np.zeros((128, 8), u32), "in": values}, {"out": (out & M32).astype(u32)}, ["out", "in"])


@kernel((8,), (64,), cluster=[4, 1, 1])
def cluster_ring():
    values = rng(33).integers(-10 ** 6, 10 ** 6, (8, 64)).astype(i32)
    out = values.copy()
    for block in range(8):
        target = block // 4 * 4 + (block + 1) % 4
        out[target] += np.roll(block % 4 * 1000 + np.arange(64, dtype=i32), 1)
    return {"out": np.zeros_like(values), "in": values}, {"out": out}, ["out", "in"]


@kernel((1,), (64,))
def mbarrier_pipeline():
    values = rng(34).integers(-1000, 1000, (7, 32)).astype(i32)
    out = sum(values[c, ::-1] * 2 * (c + 1) for c in range(7)).astype(i32)
    return {"out": np.zeros(32, i32), "in": values}, {"out": out}, ["out", "in", "i32:7"]


@kernel((2,), (64,), tolerance={"out": [3e-7, 3e-6]})
def float_math():
    x = np.concatenate([rng(35).standard_normal(100) * 5, rng(36).uniform(-1e6, 1e6, 20),
                        [0.0, 1.0, -1.0, 105615.0, 1e8, -3e9, 2e15, 1e-20]]).astype(f32)

    def times(factor):
        return (x * f32(factor)).astype(f64)
    y = x.astype(f64)
    np.seterr(over="ignore")  # to infinity, as wanted
    out = np.stack([np.exp(times(0.01)), np.sin(y), np.cos(times(1000)),
                    (np.abs(x) + f32(0.5)).astype(f64) ** float(f32(1.7)),
                    np.array([math.erf(v) for v in times(0.1)]), np.tanh(times(0.2)),
                    np.log((np.abs(x) + f32(1e-3)).astype(f64)), np.cbrt(y),
                    np.fmod(y, float(f32(0.7))), np.arctan2(y, 2.5)], 1)
    out = out.astype(f32)
    return {"out": np.zeros(out.shape, f32), "in": x}, {"out": out}, ["out", "in"]


@kernel((2,), (32,), tolerance={"out": [1e-14, 1e-14]})
def double_math():
    x = np.concatenate([rng(37).standard_normal(56) * 20, [1.0, -1.0, 1e5, -1e7, 1e-8, 3e9, -0.5, 123456.789]])
    out = np.stack([np.exp(x * 0.01), np.sin(x), (np.abs(x) + 0.5) ** 1.7, np.log(np.abs(x) + 1e-3),
                    1 / x + x / 3, 1 / np.sqrt(np.abs(x) + 1) + np.hypot(x, 3)], 1)
    keep = np.isfinite(out).all(1)
    x[~keep], out[~keep] = 1.0, out[56]
    return {"out": np.zeros(out.shape), "in": x}, {"out": out}, ["out", "in"]


@kernel((3, 2, 2), (8, 4, 2))
def struct_argument():
    width, height, gain, offset, bias = 20, 7, 2.0, (1, 200, 30), -5
    pixels = rng(38).integers(0, 256, (height, width, 3)).astype(u8)
    right = np.concatenate([pixels[:, 1:], pixels[:, -1:]], 1).astype(i64)
    out = (right - pixels) * int(gain) + np.array(offset) + bias
    raw = struct.pack("<iif3Bx", width, height, gain, *offset).hex()
    return ({"gradient": np.zeros(pixels.shape, np.int16), "pixels": pixels}, {"gradient": out.astype(np.int16)},
            ["gradient", "pixels", f"hex:{raw}", f"i8:{bias}"])


@kernel((2,), (96,))
def atomics():
    x = rng(39).integers(-10 ** 6, 10 ** 6, 192).astype(i32)
    u = np.array([5, 0x80000000, M32, M32, 0, 0, 0, 20] + [0] * 8, u32)
    w, f = np.array([1, 0], u64), np.array([0, 0], f32)
    values = [int(v) for v in x]
    flags = 0
    for v in values:
        flags |= 1 << (v & 31)
    parity, down = 0, 20
    for v in values:
        parity ^= v & M32
        down = 50 if down == 0 or down > 50 else down - 1
    expected = np.array([(5 + sum(values)) & M32, max(values), min(v & M32 for v in values), ~flags & M32, flags,
                         parity, 192 % 100, down] + [7] * 8, u32)
    return ({"u": u, "w": w, "f": f, "in": x},
            {"u": expected, "w": np.array([(1 + sum(values)) & M64, max((v & M64) << 20 & M64 for v in values)], u64),
             "f": np.array([sum(remainder(v, 16) for v in values), max(values)], f32)}, ["u", "w", "f", "in"])


@kernel((5,), (64,))
def last_block():
    x = rng(40).integers(-2 ** 31, 2 ** 31, 900).astype(i32)
    partial = np.array([sum(x[start:start + 64].astype(i64).sum() for start in range(64 * b, 900, 320))
                        for b in range(5)], i64)
    return ({"total": np.zeros(1, i64), "partial": np.zeros(5, i64), "ticket": np.zeros(1, u32), "in": x},
            {"total": partial.sum(keepdims=True), "partial": partial}, ["total", "partial", "ticket", "in", "i32:900"])


@kernel((6,), (64,))
def spin_lock():
    return ({"lock": np.zeros(1, i32), "data": np.array([100, 0], i32)}, {"data": np.array([121, 6], i32)},
            ["lock", "data"])


@kernel((1,), (128,))
def named_barriers():
    x = rng(41).integers(-1000, 1000, (6, 64)).astype(i32)
    out = sum(x[r, ::-1] * (r + 1) for r in range(6)).astype(i32)
    return {"out": np.zeros(64, i32), "in": x}, {"out": out}, ["out", "in", "i32:6"]


@kernel((3, 4), (16, 8))
def mandelbrot():
    width, height, limit = 40, 30, 60
    cx = np.arange(width, dtype=f32) / f32(width) * f32(3) - f32(2)
    cy = np.arange(height, dtype=f32) / f32(height) * f32(2) - f32(1)
    cx, cy = np.broadcast_to(cx, (height, width)), np.broadcast_to(cy[:, None], (height, width))
    zx, zy = np.zeros((height, width), f32), np.zeros((height, width), f32)
    steps, alive = np.zeros((height, width), i32), np.ones((height, width), bool)
    with np.errstate(all="ignore"):
        for _ in range(limit):
            a, b = zx * zx, zy * zy
            alive = alive & ~(a + b > f32(4))
            steps += alive
            zy, zx = f32(2) * zx * zy + cy, a - b + cx
    return ({"steps": np.full((height, width), -1, i32)}, {"steps": steps},
            ["steps", f"i32:{width}", f"i32:{height}", f"i32:{limit}"])


@kernel((1,), (32,))
def async_copy():
    x = wholes(42, 5, 32, 4)
    v = x[:, ::-1]
    out = ((v[..., 0] + v[..., 1]) * (v[..., 2] - v[..., 3])).sum(0).astype(f32)
    return {"out": np.zeros(32, f32), "in": x}, {"out": out}, ["out", "in", "i32:5"]


def main():
    parser = argparse.ArgumentParser(description="Writes the cases of the PTX files beside it.")
    parser.add_argument("--out", default=HERE, metavar="FOLDER")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    files = sorted(f for f in os.listdir(HERE) if f.endswith(".ptx"))
    for name, spec in KERNELS.items():
        inputs, expected, args = spec["make"]()
        for tensor, after in expected.items():
            assert inputs[tensor].shape == after.shape and type(inputs[tensor]) is type(after), (name, tensor)
            assert isinstance(after, Bf16) or inputs[tensor].dtype == after.dtype, (name, tensor, after.dtype)
        cases.save(os.path.join(options.out, f"{name}.inputs.safetensors"), inputs)
        cases.save(os.path.join(options.out, f"{name}.expected.safetensors"), expected)
        mine = [f for f in files if f.startswith(name + ".")]
        assert mine, name
        for file in mine:
            case = {"ptx": file, "entry": spec.get("entry", name), "grid": spec["grid"], "block": spec["block"],
                    "args": args, "inputs": f"{name}.inputs.safetensors", "expected": f"{name}.expected.safetensors"}
            for key in ("cluster", "shared", "tolerance", "prints"):
                if key in spec:
                    case[key] = spec[key]
            cases.writeCase(options.out, file[:-len(".ptx")], case)
    print(f"{len(KERNELS)} kernels, {len(files)} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
