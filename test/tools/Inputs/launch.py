"""Writes what fk launch is tested with, and compares what it wrote.

launch.py make FOLDER         kernels and tensors
launch.py check IN OUT NAMES  OUT is IN but for the bytes of the tensors NAMES
"""
import json
import pathlib
import struct
import sys

KERNELS = """
.version 8.0
.target sm_80
.address_size 64

// out[i] = a[i] * s for i < n
.visible .entry scale(.param .u64 out, .param .u64 a, .param .f32 s, .param .u32 n) {
  .reg .pred %p<2>;
  .reg .f32 %f<4>;
  .reg .b32 %r<6>;
  .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [out];
  ld.param.u64 %rd2, [a];
  ld.param.f32 %f1, [s];
  ld.param.u32 %r1, [n];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.u32 %p1, %r5, %r1;
  @%p1 ret;
  mul.wide.u32 %rd3, %r5, 4;
  add.s64 %rd4, %rd2, %rd3;
  ld.global.f32 %f2, [%rd4];
  mul.rn.f32 %f3, %f2, %f1;
  add.s64 %rd5, %rd1, %rd3;
  st.global.f32 [%rd5], %f3;
  ret;
}
"""
# out[0] = the block that came last: different interleavings, different answers.
LAST = """
.version 8.0
.target sm_80
.address_size 64
.visible .entry _ZN4deep4lastEPj(.param .u64 out)
.reqntid 32, 1, 1
{
  .reg .b32 %r<4>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [out];
  mov.u32 %r1, %tid.x;
  atom.global.exch.b32 %r2, [%rd1], %r1;
  ret;
}
"""


def write(path, tensors):
    header, data = {"__metadata__": {"made by": "launch.py"}}, b""
    for name, dtype, shape, raw in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read(path):
    raw = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    return raw[:8 + size], {name: raw[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]]
                            for name, entry in header.items()}


if sys.argv[1] == "make":
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "k.ptx").write_text(KERNELS)
    (folder / "two.ptx").write_text(KERNELS + LAST.split(".address_size 64")[1])
    (folder / "last.ptx").write_text(LAST)
    (folder / "broken.ptx").write_text(KERNELS.replace("ret;\n}", "frobnicate.b32 %r1;\n  ret;\n}"))
    (folder / "none.ptx").write_text(KERNELS[:KERNELS.index("//")])
    (folder / "k.cubin").write_bytes(b"\x7fELF")
    (folder / "k.txt").write_text(KERNELS)
    floats = struct.pack("<100f", *range(100))
    # Not in alphabetical order, and of types that fk does not compute with.
    write(folder / "t.safetensors", [("out", "F32", [100], bytes(400)), ("a", "F32", [4, 25], floats),
                                     ("u", "U16", [3], b"abcdef"), ("n", "U32", [1], bytes(4)),
                                     ("empty", "F32", [0], b"")])
else:
    (first, before), (second, after) = read(sys.argv[2]), read(sys.argv[3])
    changed = sorted(name for name in before if before[name] != after[name])
    same = first == second and list(before) == list(after)
    print("header", "same" if same else "DIFFERS", "changed", ",".join(changed) or "nothing")
    if "out" in changed:
        print("out", *struct.unpack("<100f", after["out"])[:4], struct.unpack("<100f", after["out"])[99])
