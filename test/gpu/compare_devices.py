#!/usr/bin/env python3
"""One launch on the GPU and in the emulator, by the same command: are the outputs the same bytes?

    compare_devices.py FK CASE.case.json

Prints one line. Exit status 1 where the outputs differ and the case is exact (no `tolerance`), or a run fails; where the
case has a tolerance, the bytes may differ and that is said.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "emulator"))
import check_cases  # noqa: E402


def main():
    fk, path = sys.argv[1:]
    folder, name = os.path.dirname(path), os.path.basename(path)[:-len(".case.json")]
    with open(path) as file:
        case = json.load(file)
    outputs, texts = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for device in ("cuda", "host"):
            out = os.path.join(temporary, device)
            command = check_cases.getCommand(fk, case, folder, out) + ["--device", device]
            run = subprocess.run(command, capture_output=True, text=True, timeout=120)
            if run.returncode != 0:
                print(f"{name}: exit {run.returncode} on {device}: {run.stderr.strip()[:400]}")
                return 1
            texts.append(sorted(run.stdout.splitlines()))
            with open(out, "rb") as file:
                outputs.append(file.read())
    same = outputs[0] == outputs[1] and texts[0] == texts[1]
    isApproximate = bool(case.get("tolerance"))
    print(f"{name}: {'the same bytes' if same else 'other bytes'}{'' if same or not isApproximate else ', within a tolerance'}")
    return 0 if same or isApproximate else 1


if __name__ == "__main__":
    sys.exit(main())
