#!/usr/bin/env python3
"""Runs cases in the emulator by `fk launch` and compares.

    run_emulator.py FK CASES...

CASES are `*.case.json` files or folders of them. Besides numpy's answer, the
GPU's (`<name>.gpu.safetensors`, where there is one) is compared to the last bit,
and how many agree is said: an approximate function may differ. Exit status 1
where a case is not within its tolerance, or fk finds something.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases  # noqa: E402


def runCase(fk, path):
    """What is wrong, a line each, and whether it is the GPU's answer (or None)."""
    folder, name = os.path.dirname(path), os.path.basename(path)[:-len(".case.json")]
    with open(path) as file:
        case = json.load(file)
    at = lambda key: os.path.join(folder, case[key])
    with tempfile.TemporaryDirectory() as temporary:
        outputs = os.path.join(temporary, "outputs.safetensors")
        command = [fk, "launch", at("ptx"), "--entry", case["entry"], "--grid", ",".join(map(str, case["grid"])),
                   "--block", ",".join(map(str, case["block"])), "--inputs", at("inputs"), "--args",
                   ",".join(case["args"]), "--outputs", outputs, "--quiet"]
        if case.get("shared"):
            command += ["--smem", str(case["shared"])]
        if "cluster" in case:
            command += ["--cluster", ",".join(map(str, case["cluster"]))]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            return ["does not end within 60 seconds"], None
        wrong = [] if result.returncode == 0 else [f"exit status {result.returncode}: " + result.stderr.strip()[:2000]]
        if "prints" in case and result.stdout != case["prints"]:
            wrong.append(f"prints {result.stdout!r}")
        if not os.path.exists(outputs):
            return wrong or ["no outputs"], None
        got, inputs = cases.load(outputs), cases.load(at("inputs"))
    wrong += cases.compare(case, inputs, cases.load(at("expected")), got)
    gpu = os.path.join(folder, f"{name}.gpu.safetensors")
    if not os.path.exists(gpu):
        return wrong, None
    return wrong, all(got[key].tobytes() == tensor.tobytes() for key, tensor in cases.load(gpu).items())


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    paths = []
    for path in sys.argv[2:]:
        if os.path.isdir(path):
            paths += sorted(os.path.join(path, f) for f in os.listdir(path) if f.endswith(".case.json"))
        else:
            paths.append(path)
    bad = 0
    for path in paths:
        wrong, isSame = runCase(sys.argv[1], path)
        name = os.path.basename(path)[:-len(".case.json")]
        bad += bool(wrong)
        print(f"{name}: {'WRONG' if wrong else 'right'}" +
              {None: "", True: ", the GPU's bytes", False: ", not the GPU's bytes"}[isSame] +
              "".join(f"\n  {line}" for line in wrong), flush=True)
    print(f"{len(paths) - bad} right, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
