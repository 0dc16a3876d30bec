#!/usr/bin/env python3
"""Records what a GPU answers to the instructions of instructions.json.

    make_records.py --out FOLDER     writes FOLDER/records.safetensors.gz
    make_records.py --check          assembles every kernel with ptxas; no GPU
    make_records.py --dump NAME      prints one kernel's PTX; no GPU

The file, gzip of safetensors:

  in.<set>.<k>      operand k of the set: U16, U32 or U64, one an element
  out.<name>.<k>    result k of the instruction, exclusive-or of its `like`'s
                    result where it has one (its own, not the stored one)
  __metadata__      the GPU, the driver, and the instructions that failed

Needs Python 3 and libcuda alone. About 20 seconds.
"""
import argparse
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import make_table
import values

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from cuda_driver import Cuda  # noqa: E402


def makePtx(table, entry):
    return table["template"].replace("$BODY$", make_table.makeBody(entry))


LETTERS = {8: "B", 16: "H", 32: "I", 64: "Q"}


def packColumn(column, bits):
    return struct.pack(f"<{len(column)}{LETTERS[bits]}", *column)


def writeSafetensors(path, tensors, metadata):
    """`tensors`: {name: (bits, values)}. The same bytes for the same values."""
    header, data = {"__metadata__": metadata}, []
    offset = 0
    for name, (bits, column) in tensors.items():
        raw = packColumn(column, bits)
        header[name] = {"dtype": f"U{bits}", "shape": [len(column)], "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        data.append(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packedFile:
        packedFile.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def run(cuda, ptx, inputs, count):
    """The bytes that `record` writes for `count` elements."""
    module = cuda.load(ptx)
    block = min(count, 128)
    case = {"entry": "record", "grid": ((count + block - 1) // block, 1, 1), "block": (block, 1, 1),
            "args": ["in", "out", f"u32:{count}"]}
    result = cuda.run(module, case, {"in": inputs, "out": bytes(len(inputs))})
    cuda.unload(module)
    return result["out"]


def record(table, folder):
    cuda = Cuda()
    sets, stride = values.makeSets(), table["stride"]
    tensors, answers, failures = {}, {}, {}
    for entry in table["instructions"]:
        columns, count = sets[entry["set"]], len(sets[entry["set"]][0])
        for k, bits in enumerate(entry["operands"]):
            tensors[f"in.{entry['set']}.{k}"] = (bits, columns[k])
        inputs = bytearray(count * stride)
        for k, column in enumerate(columns):
            for e, value in enumerate(column):
                struct.pack_into("<Q", inputs, e * stride + 8 * k, value)
        try:
            raw = run(cuda, makePtx(table, entry), bytes(inputs), count)
        except RuntimeError as error:
            failures[entry["name"]] = str(error)
            print(f"FAILED {entry['name']}: {error}", file=sys.stderr)
            continue
        mine = []
        for k, bits in enumerate(entry["results"]):
            column = [struct.unpack_from(f"<{LETTERS[bits]}", raw, e * stride + 8 * k)[0] for e in range(count)]
            mine.append(column)
            base = answers.get(entry.get("like"))
            stored = [x ^ y for x, y in zip(column, base[k])] if base else column
            tensors[f"out.{entry['name']}.{k}"] = (bits, stored)
        answers[entry["name"]] = mine
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "records.safetensors.gz")
    writeSafetensors(path, tensors, {"gpu": cuda.name, "driver": str(cuda.driver), "failures": json.dumps(failures)})
    print(f"{len(answers)} instructions recorded on {cuda.name}, {len(failures)} failed, "
          f"{os.path.getsize(path)} bytes in {path}")
    return 1 if failures else 0


def check(table):
    """Every set fits its instructions, and ptxas takes every kernel."""
    sets = values.makeSets()
    lengths, text, starts, line = {}, "", [], 1
    known = {}
    for number, entry in enumerate(table["instructions"]):
        columns = sets[entry["set"]]
        if len(columns) != len(entry["operands"]):
            sys.exit(f"{entry['name']}: {len(entry['operands'])} operands, its set has {len(columns)}")
        for column, bits in zip(columns, entry["operands"]):
            if max(column) >> bits or min(column) < 0:
                sys.exit(f"{entry['name']}: a value of its set is wider than {bits} bits")
        if lengths.setdefault(entry["set"], entry["operands"]) != entry["operands"]:
            sys.exit(f"{entry['name']}: the set is used with other widths before")
        base = known.get(entry.get("like"))
        if base and (base["set"], base["results"]) != (entry["set"], entry["results"]):
            sys.exit(f"{entry['name']}: not like {base['name']}")
        known[entry["name"]] = entry
        kernel = makePtx(table, entry)
        if number:
            kernel = kernel[kernel.index(".visible"):]
        kernel = kernel.replace("record(", f"f{number}(").replace("record_", f"f{number}_").replace("DONE", f"D{number}")
        starts.append((line, entry["name"]))
        line += kernel.count("\n")
        text += kernel
    ptxas = shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "all.ptx")
        with open(path, "w") as file:
            file.write(text)
        result = subprocess.run([ptxas, "-arch=sm_90a", "-O1", path, "-o", os.path.join(folder, "all.cubin")],
                                capture_output=True, text=True)
    print(result.stderr, end="")
    if result.returncode:
        for line, name in starts:
            print(f"{name} starts in line {line}")
    else:
        print(f"{len(starts)} kernels assemble for sm_90a")
    return result.returncode


def main():
    parser = argparse.ArgumentParser(description="Records what a GPU answers to single instructions.")
    parser.add_argument("--out", metavar="FOLDER")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--dump", metavar="NAME")
    parser.add_argument("--table", default=os.path.join(HERE, "instructions.json"))
    options = parser.parse_args()
    with open(options.table) as file:
        table = json.load(file)
    if options.dump:
        for entry in table["instructions"]:
            if entry["name"] == options.dump:
                print(makePtx(table, entry), end="")
                return 0
        sys.exit(f"no instruction '{options.dump}'")
    if options.check:
        return check(table)
    if not options.out:
        parser.error("--out FOLDER, --check or --dump NAME")
    return record(table, options.out)


if __name__ == "__main__":
    sys.exit(main())
