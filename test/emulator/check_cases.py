#!/usr/bin/env python3
"""Runs every case of a folder in the emulator by `fk launch`, with Python's own library alone.

    check_cases.py FK FOLDER...

Each must exit with 0, print what the case prints, and leave every tensor as `expected` has it: within its tolerance, or
to the last bit where it has none; tensors that are not in `expected` keep their bytes. Where a GPU's answer lies beside a
case without tolerance, that one is wanted to the last bit too.
"""
import concurrent.futures
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

CODES = {"F64": "d", "F32": "f", "F16": "e", "I64": "q", "I32": "i", "I16": "h", "I8": "b", "U64": "Q", "U32": "I",
         "U16": "H", "U8": "B"}


def load(path):
    """{name: (dtype, bytes)}"""
    with open(path, "rb") as file:
        raw = file.read()
    size = struct.unpack_from("<Q", raw)[0]
    header = json.loads(raw[8:8 + size])
    data = raw[8 + size:]
    return {name: (entry["dtype"], data[slice(*entry["data_offsets"])])
            for name, entry in header.items() if name != "__metadata__"}


def decode(dtype, data):
    if dtype == "BF16":
        return [struct.unpack("<f", b"\0\0" + data[i:i + 2])[0] for i in range(0, len(data), 2)]
    return list(struct.unpack(f"<{len(data) // struct.calcsize(CODES[dtype])}{CODES[dtype]}", data))


def differ(dtype, got, wanted, absolute, relative):
    """The first element out of bounds, or ""."""
    for i, (a, b) in enumerate(zip(decode(dtype, got), decode(dtype, wanted))):
        if a == b or (a != a and b != b):
            continue
        if not math.isfinite(b) or not abs(a - b) <= absolute + relative * abs(b):
            return f"[{i}]: wanted {b}, got {a}"
    return ""


def getCommand(fk, case, folder, outputs):
    command = [fk, "launch", os.path.join(folder, case["ptx"]), "--entry", case["entry"], "--grid",
               ",".join(map(str, case["grid"])), "--block", ",".join(map(str, case["block"])), "--inputs",
               os.path.join(folder, case["inputs"]), "--args", ",".join(case["args"]), "--outputs", outputs, "--quiet"]
    if case.get("shared"):
        command += ["--smem", str(case["shared"])]
    if "cluster" in case:
        command += ["--cluster", ",".join(map(str, case["cluster"]))]
    return command


def check(fk, path):
    folder, name = os.path.dirname(path), os.path.basename(path)[:-len(".case.json")]
    with open(path) as file:
        case = json.load(file)
    at = lambda key: os.path.join(folder, case[key])
    with tempfile.TemporaryDirectory() as temporary:
        outputs = os.path.join(temporary, "o.safetensors")
        command = getCommand(fk, case, folder, outputs)
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            return f"exit code {run.returncode}: {run.stderr.strip()[:500]}"
        if "prints" in case and run.stdout != case["prints"]:
            return f"prints {run.stdout!r}"
        got = load(outputs)
    wanted, inputs, tolerance = load(at("expected")), load(at("inputs")), case.get("tolerance", {})
    for tensor, (dtype, data) in got.items():
        if tensor not in wanted:
            if data != inputs[tensor][1]:
                return f"{tensor} has changed"
        elif tensor in tolerance:
            if text := differ(dtype, data, wanted[tensor][1], *tolerance[tensor]):
                return tensor + text
        elif data != wanted[tensor][1]:
            return f"{tensor} is not exactly what was wanted"
    gpu = os.path.join(folder, name + ".gpu.safetensors")
    if os.path.exists(gpu) and not tolerance:
        for tensor, (_, data) in load(gpu).items():
            if got[tensor][1] != data:
                return f"{tensor} is not what the GPU answered"
    return ""


def main():
    fk, folders = sys.argv[1], sys.argv[2:]
    paths = sorted(os.path.join(folder, file) for folder in folders for file in os.listdir(folder)
                   if file.endswith(".case.json"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(lambda path: check(fk, path), paths))
    for path, answer in zip(paths, answers):
        if answer:
            print(f"{os.path.basename(path)}: {answer}")
    bad = sum(map(bool, answers))
    print(f"{len(paths) - bad} right, {bad} wrong")
    return 1 if bad or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
