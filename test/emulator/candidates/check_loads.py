#!/usr/bin/env python3
"""Loads every candidate of index.json as a user would: fk-opt --substitute.

    check_loads.py FK-OPT [NAME ...]

Each is bound in a small module of its task at several widths, compiled (.cu) and
assembled. Exit status 1 where one does not load, or is bound nowhere. Needs nvcc
and ptxas.
"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTHS = (1, 7, 33, 64, 129, 1000)


def norm(name, t, width, residual=False):
    row, weight = f"tensor<?x{width}x{t}>", f"tensor<{width}x{t}>"
    if residual:
        return (f"func.func @{name}(%x: {row}, %r: {row}, %w: {weight}) -> ({row}, {row}) {{\n"
                f"  %0, %1 = fk.add_rms_norm %x, %r, %w {{epsilon = 1.0e-5 : f32}} : ({row}, {row}, {weight}) -> "
                f"({row}, {row})\n  return %0, %1 : {row}, {row}\n}}\n")
    return (f"func.func @{name}(%x: {row}, %w: {weight}) -> {row} {{\n"
            f"  %0 = fk.rms_norm %x, %w {{epsilon = 1.0e-5 : f32}} : ({row}, {weight}) -> {row}\n"
            f"  return %0 : {row}\n}}\n")


def makeFunction(task, name, t, width):
    if task == "rms_norm":
        return norm(name, t, width)
    if task == "add_rms_norm":
        return norm(name, t, width, True)
    if task == "layer_norm":
        return norm(name, t, width).replace("rms_norm", "layer_norm")
    if task == "silu_and_mul":
        source, target = f"tensor<?x{2 * width}x{t}>", f"tensor<?x{width}x{t}>"
        return (f"func.func @{name}(%x: {source}) -> {target} {{\n"
                f"  %0 = fk.silu_and_mul %x : ({source}) -> {target}\n  return %0 : {target}\n}}\n")
    if task == "softmax":
        row = f"tensor<?x{width}x{t}>"
        return (f"func.func @{name}(%x: {row}) -> {row} {{\n  %0 = fk.softmax %x : ({row}) -> {row}\n"
                f"  return %0 : {row}\n}}\n")
    if task == "rope":
        dim = 2 * width
        q, k, p, c = f"tensor<?x4x{dim}x{t}>", f"tensor<?x2x{dim}x{t}>", "tensor<?xi32>", f"tensor<?x{dim}xf32>"
        return (f"func.func @{name}(%q: {q}, %k: {k}, %p: {p}, %c: {c}) -> ({q}, {k}) {{\n"
                f"  %0, %1 = fk.rope %q, %k, %p, %c {{rotary_dim = {dim} : i32}} : ({q}, {k}, {p}, {c}) -> ({q}, {k})\n"
                f"  return %0, %1 : {q}, {k}\n}}\n")
    if task == "linear":
        x, w, y = f"tensor<?x{width}x{t}>", f"tensor<{width + 3}x{width}x{t}>", f"tensor<?x{width + 3}x{t}>"
        return (f"func.func @{name}(%x: {x}, %w: {w}) -> {y} {{\n  %0 = fk.linear %x, %w : ({x}, {w}) -> {y}\n"
                f"  return %0 : {y}\n}}\n")
    sys.exit(f"no module for the task '{task}'")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with open(os.path.join(HERE, "index.json")) as file:
        index = json.load(file)
    bad = 0
    for entry in index["honest"] + index["wrong"]:
        path = os.path.join(HERE, entry["file"])
        if sys.argv[2:] and not any(name in entry["file"] for name in sys.argv[2:]):
            continue
        module = "".join(makeFunction(entry["task"], f"f{width}", entry.get("dtype", "bf16"), width)
                         for width in WIDTHS)
        with tempfile.NamedTemporaryFile("w", suffix=".mlir") as file:
            file.write(module)
            file.flush()
            result = subprocess.run([sys.argv[1], file.name, f"--substitute={entry['task']}:{path}"],
                                    capture_output=True, text=True)
        bound = result.stdout.count("fk.candidate = ")
        if result.returncode or not bound:
            bad += 1
            print(f"{entry['file']}: does not load\n{result.stderr}")
        else:
            print(f"{entry['file']}: bound at {bound} of {len(WIDTHS)} widths")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
