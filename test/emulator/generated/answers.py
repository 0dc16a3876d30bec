#!/usr/bin/env python3
"""Are generated kernels' answers in the emulator the GPU's, to the last bit?

    answers.py FK record FILE     on a GPU: writes what it answered
    answers.py FK compare FILE    in the emulator: compares

A kernel is made by `fk codegen` and run by `fk kernels` at fixed shapes over every class of values; the answer is the
digest of each result. Kernels of EXACT use no approximate function and must agree; of the others it is said how many do.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

SHAPES = {
    "add": ("tokens=1,7", "features=96"), "mul": ("tokens=1,7", "features=96"),
    "silu": ("tokens=1,7", "features=96"), "gelu": ("tokens=1,7", "features=96"),
    "rms_norm": ("tokens=1,7", "hidden=256"), "add_rms_norm": ("tokens=1,7", "hidden=256"),
    "layer_norm": ("tokens=1,7", "hidden=256"), "softmax": ("rows=1,7", "columns=256"),
    "silu_and_mul": ("tokens=1,7", "intermediate=96"), "gelu_and_mul": ("tokens=1,7", "intermediate=96"),
    "rope": ("tokens=1,7", "q_heads=4,kv_heads=2,head_dim=64"),
    "embedding": ("tokens=1,7", "hidden=128,vocab=96"),
}
EXACT = {"add", "mul", "rope", "embedding"}
DTYPES = ("bf16", "f16", "f32")


def run(fk, task, dtype, device, folder):
    """{case: digests}, or a text that says what went wrong."""
    dynamic, static = SHAPES[task]
    path = os.path.join(folder, f"{task}.{dtype}.ptx")
    make = [fk, "codegen", task, "--dtype", dtype, "-o", path] + (["--axes", static] if static else [])
    made = subprocess.run(make, capture_output=True, text=True)
    if made.returncode:
        return made.stderr.strip()
    shapes = ";".join([dynamic] + static.split(",")) if static else dynamic
    ran = subprocess.run([fk, "kernels", path, "--target", task, "--dtype", dtype, "--device", device, "--shapes", shapes,
                          "--json"], capture_output=True, text=True)
    if ran.returncode:
        return (ran.stderr or ran.stdout).strip()[:500]
    answers = {}
    for case in json.loads(ran.stdout)["cases"]:
        key = " ".join(f"{k}={v}" for k, v in [*case["shape"].items(), *case["scalars"].items()]) + " " + case["values"]
        answers[key] = [result["digest"] for result in case["results"]]
    return answers


def main():
    fk, action, path = sys.argv[1:]
    device = "cuda" if action == "record" else "host"
    kernels = [(task, dtype) for task in SHAPES for dtype in DTYPES]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = dict(zip((f"{t}.{d}" for t, d in kernels),
                           pool.map(lambda k: run(fk, *k, device, folder), kernels)))
    failed = {name: text for name, text in answers.items() if isinstance(text, str)}
    for name, text in failed.items():
        print(f"{name}: {text}")
    if action == "record":
        with open(path, "w") as file:
            json.dump(answers, file, indent=0, sort_keys=True)
        return 1 if failed else 0
    with open(path) as file:
        recorded = json.load(file)
    bad = len(failed)
    for name, cases in answers.items():
        if name in failed:
            continue
        if cases.keys() != recorded[name].keys():
            print(f"{name}: other cases than were recorded")
            bad += 1
            continue
        same = sum(recorded[name][case] == digests for case, digests in cases.items())
        isExact = name.split(".")[0] in EXACT
        if isExact and same != len(cases):
            bad += 1
        print(f"{name}: {same} of {len(cases)} the GPU's bytes" + (", exact" if isExact else ""))
    print(f"{bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
