"""What the scripts beside it share: launches as files.

A case is `<name>.case.json`:

  ptx         file beside it
  entry, grid, block, cluster, shared   the launch; shared is dynamic, in bytes
  args        as `fk launch --args` takes them: a tensor of the inputs, `i32:128`,
              `hex:0011`, `null`
  inputs      safetensors beside it: every tensor that the kernel sees, outputs
              with what they hold before
  expected    safetensors beside it: what numpy says of the tensors that change;
              all others keep their bytes
  prints      what the kernel prints
  tolerance   {tensor: [absolute, relative]}; a tensor not named here is exact

Tensors are numpy arrays; bf16, which numpy lacks, is a Bf16.
"""
import json
import os
import struct

import numpy as np


class Bf16:
    """bf16 bits in a uint16 array."""

    def __init__(self, bits):
        self.bits = np.ascontiguousarray(bits, np.uint16)
        self.shape = self.bits.shape

    @staticmethod
    def of(array):
        """Rounded to nearest, ties to even."""
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
        rounded = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
        return Bf16(np.where(np.isnan(array), np.uint16(0x7FFF), rounded))

    def float(self):
        return (self.bits.astype(np.uint32) << 16).view(np.float32)

    def tobytes(self):
        return self.bits.tobytes()


DTYPES = {np.dtype(np.float64): "F64", np.dtype(np.float32): "F32", np.dtype(np.float16): "F16",
          np.dtype(np.int64): "I64", np.dtype(np.int32): "I32", np.dtype(np.int16): "I16", np.dtype(np.int8): "I8",
          np.dtype(np.uint64): "U64", np.dtype(np.uint32): "U32", np.dtype(np.uint16): "U16",
          np.dtype(np.uint8): "U8"}
KINDS = {name: dtype for dtype, name in DTYPES.items()}
# Readers of checkpoints know no wide unsigned types: the bits count.
DTYPES.update({np.dtype(np.uint64): "I64", np.dtype(np.uint32): "I32", np.dtype(np.uint16): "I16"})


def save(path, tensors):
    """The same bytes for the same tensors."""
    header, data, offset = {}, [], 0
    for name in sorted(tensors):
        tensor = tensors[name]
        raw = tensor.tobytes()
        dtype = "BF16" if isinstance(tensor, Bf16) else DTYPES[tensor.dtype]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        data.append(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def load(path):
    with open(path, "rb") as file:
        raw = file.read()
    size = struct.unpack_from("<Q", raw)[0]
    tensors = {}
    for name, entry in json.loads(raw[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        part = raw[8 + size + begin:8 + size + end]
        if entry["dtype"] == "BF16":
            tensors[name] = Bf16(np.frombuffer(part, np.uint16).reshape(entry["shape"]))
        else:
            tensors[name] = np.frombuffer(part, KINDS[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def writeCase(folder, name, case, inputs=None, expected=None):
    if inputs is not None:
        case["inputs"] = f"{name}.inputs.safetensors"
        save(os.path.join(folder, case["inputs"]), inputs)
    if expected is not None:
        case["expected"] = f"{name}.expected.safetensors"
        save(os.path.join(folder, case["expected"]), expected)
    order = ("ptx", "entry", "grid", "block", "cluster", "shared", "args", "inputs", "expected", "tolerance", "prints")
    assert set(case) <= set(order), case
    lines = [f'  {json.dumps(key)}: {json.dumps(case[key])}' for key in order if key in case]
    with open(os.path.join(folder, f"{name}.case.json"), "w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


def compare(case, inputs, expected, got):
    """What is wrong, a line a tensor; empty where nothing is."""
    wrong = []
    for name, before in inputs.items():
        wanted = expected.get(name, before)
        have = got[name]
        if wanted.tobytes() == have.tobytes():
            continue
        bound = case.get("tolerance", {}).get(name)
        if name not in expected:
            wrong.append(f"{name} was changed")
        elif bound is None:
            bad = np.flatnonzero(np.frombuffer(wanted.tobytes(), np.uint8) != np.frombuffer(have.tobytes(), np.uint8))
            wrong.append(f"{name} differs in {len(bad)} bytes, the first at {bad[0]}")
        else:
            a, b = (x.float() if isinstance(x, Bf16) else x.astype(np.float64) for x in (wanted, have))
            a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
            with np.errstate(invalid="ignore"):
                fine = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= bound[0] + bound[1] * np.abs(a))
            if not fine.all():
                at = int(np.flatnonzero(~fine)[0])
                wrong.append(f"{name}: {int((~fine).sum())} elements, the first [{at}]: wanted {a[at]}, got {b[at]}")
    return wrong
