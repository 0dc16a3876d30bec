"""Compiles units again with the wheels' nvcc, by the build's own command, and compares.

same_ptx.py SOURCE BUILD UNIT...
"""
import pathlib
import re
import subprocess
import sys
import tempfile

source, build, units = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
wheels = source / "build/deps/cuda/nvidia/cu13/bin/nvcc"
for unit in units:
    built = build / "kernels" / f"{unit}.ptx"
    command = subprocess.run(["ninja", "-C", str(build), "-t", "commands", f"kernels/{unit}.ptx"],
                             capture_output=True, text=True, check=True).stdout
    compiler = re.search(r"\S*/nvcc(?= )", command).group()
    with tempfile.TemporaryDirectory() as folder:
        again = pathlib.Path(folder) / built.name
        command = command.strip().splitlines()[-1].replace(compiler, str(wheels)).replace(str(built), str(again))
        subprocess.run(["bash", "-c", command], check=True, stdout=subprocess.DEVNULL)
        print(f"{built.name}:", "same" if again.read_bytes() == built.read_bytes() else "DIFFERS")
