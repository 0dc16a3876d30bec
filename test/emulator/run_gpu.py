#!/usr/bin/env python3
"""Runs cases on a GPU, compares, and keeps what the GPU answered.

    run_gpu.py --out FOLDER CASES...

CASES are `*.case.json` files or folders of them. For each, FOLDER gets
`<name>.gpu.safetensors`: the tensors that changed. Nothing but numpy and libcuda
is needed. Exit status 1 where a case differs from its expected values.
"""
import argparse
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases  # noqa: E402
from cuda_driver import Cuda  # noqa: E402


def rebuild(like, raw):
    if isinstance(like, cases.Bf16):
        return cases.Bf16(np.frombuffer(raw, np.uint16).reshape(like.shape))
    return np.frombuffer(raw, like.dtype).reshape(like.shape)


def runCase(cuda, path, out):
    """What is wrong with it, a line each."""
    folder = os.path.dirname(path)
    with open(path) as file:
        case = json.load(file)
    with open(os.path.join(folder, case["ptx"])) as file:
        ptx = file.read()
    inputs = cases.load(os.path.join(folder, case["inputs"]))
    module = cuda.load(ptx)
    raw = cuda.run(module, case, {name: tensor.tobytes() for name, tensor in inputs.items()})
    cuda.unload(module)
    got = {name: rebuild(inputs[name], data) for name, data in raw.items()}
    changed = {name: t for name, t in got.items() if t.tobytes() != inputs[name].tobytes()}
    name = os.path.basename(path)[:-len(".case.json")]
    cases.save(os.path.join(out, f"{name}.gpu.safetensors"), changed)
    expected = cases.load(os.path.join(folder, case["expected"]))
    return cases.compare(case, inputs, expected, got)


def main():
    parser = argparse.ArgumentParser(description="Runs cases on a GPU.")
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("cases", nargs="+", metavar="CASES")
    options = parser.parse_args()
    paths = []
    for path in options.cases:
        if os.path.isdir(path):
            paths += sorted(os.path.join(path, f) for f in os.listdir(path) if f.endswith(".case.json"))
        else:
            paths.append(path)
    os.makedirs(options.out, exist_ok=True)
    cuda, bad = Cuda(), 0
    print(f"{len(paths)} cases on {cuda.name}")
    for path in paths:
        name = os.path.basename(path)[:-len(".case.json")]
        try:
            wrong = runCase(cuda, path, options.out)
        except Exception as error:  # one bad case must not hide the others
            wrong = [str(error)]
        for line in wrong:
            print(f"{name}: {line}")
        bad += bool(wrong)
        if not wrong:
            print(f"{name}: right")
    print(f"{len(paths) - bad} right, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
