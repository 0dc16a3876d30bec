"""Generates every kernel and assembles it; with --check runs it in the emulator.

Usage: assemble.py FOLDER [--check]
"""
import glob
import os
import shutil
import subprocess
import sys

# Task, static axes, shapes to check at, more options of `fk codegen`.
CASES = []
for width in (37, 64, 4096):
    for task in ("silu", "tanh", "gelu", "add", "mul"):
        CASES.append((task, {"features": width}, "tokens=1,3", []))
    CASES.append(("softmax", {"columns": width}, "rows=1,3", []))
    CASES.append(("l2_norm", {"columns": width}, "rows=1,3", []))
    for task in ("rms_norm", "add_rms_norm", "layer_norm"):
        CASES.append((task, {"hidden": width}, "tokens=1,3", []))
    for task in ("silu_and_mul", "gelu_and_mul"):
        CASES.append((task, {"intermediate": width}, "tokens=1,3", []))
CASES += [
    ("softmax", {"columns": 40001}, "rows=2", []),
    ("rms_norm", {"hidden": 40960}, "tokens=2", []),
    ("add_rms_norm", {"hidden": 40960}, "tokens=2", []),
    ("layer_norm", {"hidden": 768}, "tokens=1,9", ["--with", "bias"]),
    ("rope", {"q_heads": 4, "kv_heads": 2, "head_dim": 64}, "tokens=1,5", []),
    ("qk_norm_rope", {"q_heads": 4, "kv_heads": 2, "head_dim": 64}, "tokens=1,5", []),
    ("qk_norm_rope", {"q_heads": 3, "kv_heads": 1, "head_dim": 20}, "tokens=1,5", []),
    ("embedding", {"hidden": 64}, "tokens=1,5", []),
    ("gather_last_tokens", {"hidden": 64}, "", []),
]
# Only compiled: what `fk kernels` does not ask for.
COMPILED = [
    ("rms_norm", {"hidden": 64}, "", ["--set", "weight_offset=1"]),
    ("rope", {"q_heads": 4, "kv_heads": 2, "head_dim": 80}, "", ["--set", "rotary_dim=32"]),
    ("qk_norm_rope", {"q_heads": 4, "kv_heads": 2, "head_dim": 80}, "", ["--set", "rotary_dim=32"]),
]


def find_ptxas():
    for home in (os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH")):
        if home and os.path.exists(os.path.join(home, "bin", "ptxas")):
            return os.path.join(home, "bin", "ptxas")
    wheels = os.path.join(os.path.dirname(__file__), "../../../build/deps/cuda/nvidia/cu13/bin/ptxas")
    found = shutil.which("ptxas") or next(iter(sorted(glob.glob("/usr/local/cuda*/bin/ptxas"))), wheels)
    return found


def get_dtypes(axes, check):
    """All of them where that is quick: the emulator takes its time, and each width its turn."""
    width = next(iter(axes.values()))
    if check and len(axes) == 1:
        return {37: ("bf16", "f32"), 64: ("f16",)}.get(width, ("bf16",))
    return ("f16",) if width == 64 and len(axes) == 1 else ("bf16", "f16", "f32")


def fail(what, result):
    sys.exit(f"{what}: exit {result.returncode}\n{result.stdout}{result.stderr}")


def main():
    folder, check = sys.argv[1], "--check" in sys.argv
    ptxas = find_ptxas()
    done = 0
    for task, axes, shapes, more in CASES + ([] if check else COMPILED):
        for dtype in get_dtypes(axes, check):
            name = os.path.join(folder, f"{task}.{dtype}.ptx")
            text = ",".join(f"{axis}={value}" for axis, value in axes.items())
            what = f"{task} {dtype} {text} {' '.join(more)}"
            command = ["fk", "codegen", task, "--dtype", dtype, "--axes", text, *more, "-o", name]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode:
                fail(what, result)
            with open(name) as file:
                ptx = file.read()
            if "__nv_" in ptx or ".extern" in ptx:
                sys.exit(f"{what}: calls a device library")
            if check:
                command = ["fk", "kernels", "--target", task, "--candidate", name, "--shapes",
                           ";".join(filter(None, [text.replace(",", ";"), shapes]))]
            else:
                command = [ptxas, "-arch=sm_90a", "-o", os.devnull, name]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode:
                fail(what, result)
            done += 1
    print(f"{done} kernels")


main()
