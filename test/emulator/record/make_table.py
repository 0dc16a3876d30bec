#!/usr/bin/env python3
"""Writes instructions.json: the instructions whose answers are recorded on a GPU.

    make_table.py [--out instructions.json]

One object an instruction, in this order:

  name      unique; also the name of its tensors in the records
  text      PTX; operands are %a, %b, ... and results %r, %s, %t, %u
  operands  bits of each operand (32: a .b32 register)
  results   bits of each result
  set       the operand values: a set of values.py, tensors `in.<set>.<k>`
  like      an instruction before it whose results it resembles: the records
            hold the exclusive or with that one's results (absent: as they are)
  check     {"kind": "exact"}: bit for bit;
            {"kind": "approx", "type": "f32", "bounds": [...]}: within a bound.
            Each bound may have `lo` and `hi` (the |%a| it is for; the first that
            fits counts), and one of `abs`, `rel`, `ulp`. It is the distance from
            the true value that the PTX ISA allows; an element that no bound fits
            is not compared. Two implementations differ by up to twice a bound.
            An infinity, zero or NaN of the GPU is wanted as such.

The kernel of an instruction is `template` with $BODY$ replaced by: a register of
each operand and result (.b16, .b32 or .b64), `ld.global` of operand k from
[%in + 8 k], the text, and `st.global` of result k to [%out + 8 k]. An element
has `stride` bytes of each, one thread an element, blocks of 256 threads at most.
"""
import argparse
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATE = """.version 8.4
.target sm_90
.address_size 64
.visible .entry record(.param .u64 record_in, .param .u64 record_out, .param .u32 record_count)
{
.reg .pred %past, %p, %q;
.reg .b32 %index, %width, %block, %count;
.reg .b64 %in, %out;
mov.u32 %index, %tid.x;
mov.u32 %width, %ntid.x;
mov.u32 %block, %ctaid.x;
mad.lo.u32 %index, %block, %width, %index;
ld.param.u32 %count, [record_count];
setp.ge.u32 %past, %index, %count;
@%past bra DONE;
ld.param.u64 %in, [record_in];
cvta.to.global.u64 %in, %in;
mad.wide.u32 %in, %index, 128, %in;
ld.param.u64 %out, [record_out];
cvta.to.global.u64 %out, %out;
mad.wide.u32 %out, %index, 128, %out;
$BODY$DONE:
ret;
}
"""
STRIDE = 128
OPERANDS = "abcdefghij"
RESULTS = "rstu"

table = []
names = set()


def makeBody(entry):
    """The text that takes the place of $BODY$."""
    lines = []
    for letters, bits in ((OPERANDS, entry["operands"]), (RESULTS, entry["results"])):
        for letter, width in zip(letters, bits):
            lines.append(f".reg .b{width} %{letter};")
    for k, width in enumerate(entry["operands"]):
        lines.append(f"ld.global.b{width} %{OPERANDS[k]}, [%in+{8 * k}];")
    lines.append(entry["text"])
    for k, width in enumerate(entry["results"]):
        lines.append(f"st.global.b{width} [%out+{8 * k}], %{RESULTS[k]};")
    return "\n".join(lines) + "\n"


def add(name, text, operands, results, values, like=None, check=None):
    assert name not in names, name
    names.add(name)
    entry = {"name": name, "text": text, "operands": operands, "results": results, "set": values}
    if like and like != name:
        assert like in names, like
        entry["like"] = like
    entry["check"] = check or {"kind": "exact"}
    table.append(entry)


def op(name, operands, result, values, like=None, check=None):
    """`name r, a, b, ...;` with operands of the given widths."""
    text = f"{name} " + ", ".join(["%r"] + ["%" + OPERANDS[k] for k in range(len(operands))]) + ";"
    add(name, text, operands, [result], values, like, check)


def approx(kind, *bounds):
    return {"kind": "approx", "type": kind, "bounds": list(bounds)}


def addIntegers():
    for bits in (16, 32, 64):
        two, three = f"i{bits}x2", f"i{bits}x3"
        for sign in "su":
            t = f"{sign}{bits}"
            like = lambda base: None if sign == "s" else base.replace(f"u{bits}", f"s{bits}")
            for name in ("add", "sub", "mul.lo", "mul.hi", "div", "rem", "min", "max"):
                full = f"{name}.{t}"
                op(full, [bits] * 2, bits, two, like(full))
            op(f"mad.lo.{t}", [bits] * 3, bits, three, like(f"mad.lo.u{bits}"))
            op(f"sad.{t}", [bits] * 3, bits, three, like(f"sad.u{bits}"))
            if bits > 16:
                op(f"mad.hi.{t}", [bits] * 3, bits, three)
            if bits < 64:
                op(f"mul.wide.{t}", [bits] * 2, 2 * bits, two)
                op(f"mad.wide.{t}", [bits, bits, 2 * bits], 2 * bits, f"i{bits}wide")
            op(f"shr.{t}", [bits, 32], bits, f"i{bits}shift", like(f"shr.u{bits}"))
            for compare in ("eq", "ne", "lt", "le", "gt", "ge"):
                addCompare(compare, t, bits, two)
        for compare in ("lo", "ls", "hi", "hs"):
            addCompare(compare, f"u{bits}", bits, two)
        op(f"abs.s{bits}", [bits], bits, f"i{bits}x1")
        op(f"neg.s{bits}", [bits], bits, f"i{bits}x1")
        op(f"shl.b{bits}", [bits, 32], bits, f"i{bits}shift")
        for name in ("and", "or", "xor"):
            op(f"{name}.b{bits}", [bits] * 2, bits, two)
        op(f"not.b{bits}", [bits], bits, f"i{bits}x1")
        op(f"cnot.b{bits}", [bits], bits, f"i{bits}x1")
        add(f"selp.b{bits}", f"setp.ne.b{bits} %p, %c, 0;\nselp.b{bits} %r, %a, %b, %p;", [bits] * 3, [bits], three)
        add(f"slct.b{bits}.s32", f"slct.b{bits}.s32 %r, %a, %b, %c;", [bits, bits, 32], [bits], f"i{bits}slct")
        add(f"slct.b{bits}.f32", f"slct.b{bits}.f32 %r, %a, %b, %c;", [bits, bits, 32], [bits], f"i{bits}slct")
    add("slct.ftz.b32.f32", "slct.ftz.b32.f32 %r, %a, %b, %c;", [32, 32, 32], [32], "i32slct")
    for bits in (32, 64):
        one = f"i{bits}x1"
        for name in ("popc.b", "clz.b", "bfind.u", "bfind.s", "bfind.shiftamt.u", "bfind.shiftamt.s"):
            op(f"{name}{bits}", [bits], 32, one)
        op(f"brev.b{bits}", [bits], bits, one)
        op(f"bfe.u{bits}", [bits, 32, 32], bits, f"i{bits}field")
        op(f"bfe.s{bits}", [bits, 32, 32], bits, f"i{bits}field", f"bfe.u{bits}")
        op(f"bfi.b{bits}", [bits, bits, 32, 32], bits, f"i{bits}insert")
    for sign in "su":
        op(f"szext.clamp.{sign}32", [32, 32], 32, "i32shift")
        op(f"szext.wrap.{sign}32", [32, 32], 32, "i32shift")
        op(f"mul24.lo.{sign}32", [32, 32], 32, "i32x2")
        op(f"mul24.hi.{sign}32", [32, 32], 32, "i32x2")
        op(f"mad24.lo.{sign}32", [32] * 3, 32, "i32x3")
        op(f"mad24.hi.{sign}32", [32] * 3, 32, "i32x3")
    for mode in ("clamp", "wrap"):
        op(f"bmsk.{mode}.b32", [32, 32], 32, "i32mask")
        op(f"shf.l.{mode}.b32", [32, 32, 32], 32, "i32funnel")
        op(f"shf.r.{mode}.b32", [32, 32, 32], 32, "i32funnel")
    for t in ("add.sat.s32", "sub.sat.s32"):
        op(t, [32, 32], 32, "i32x2")
    op("mad.hi.sat.s32", [32] * 3, 32, "i32x3")
    for name in ("add", "min", "max"):
        for t in ("u16x2", "s16x2"):
            op(f"{name}.{t}", [32, 32], 32, "i32x2")
    op("min.relu.s16x2", [32, 32], 32, "i32x2")
    op("max.relu.s16x2", [32, 32], 32, "i32x2")
    op("min.relu.s32", [32, 32], 32, "i32x2")
    op("max.relu.s32", [32, 32], 32, "i32x2")
    for a in "su":
        for b in "su":
            op(f"dp4a.{a}32.{b}32", [32] * 3, 32, "i32x3")
            for half in ("lo", "hi"):
                op(f"dp2a.{half}.{a}32.{b}32", [32] * 3, 32, "i32x3")
    op("prmt.b32", [32] * 3, 32, "prmt")
    for mode in ("f4e", "b4e", "rc8", "ecl", "ecr", "rc16"):
        op(f"prmt.b32.{mode}", [32] * 3, 32, "prmt")
    for lut in (0x00, 0x1D, 0x80, 0x96, 0xE8, 0xCA, 0xFE, 0x6A, 0xB1, 0xFF, 0x3C):
        add(f"lop3.b32.{lut:02x}", f"lop3.b32 %r, %a, %b, %c, 0x{lut:02X};", [32] * 3, [32], "i32x3")
    add("lop3.or.b32", "setp.lt.s32 %q, %c, 0;\nlop3.or.b32 %r|%p, %a, %b, %c, 0xC0, %q;\nselp.b32 %s, 1, 0, %p;",
        [32] * 3, [32, 32], "i32x3")
    add("lop3.and.b32", "setp.lt.s32 %q, %c, 0;\nlop3.and.b32 %r|%p, %a, %b, %c, 0x3C, %q;\nselp.b32 %s, 1, 0, %p;",
        [32] * 3, [32, 32], "i32x3")
    for bits in (32, 64):
        for kind in "us":
            t = f"{kind}{bits}"
            add(f"add.cc.{t}", f"add.cc.{t} %r, %a, %b;\naddc.{t} %s, %c, 0;", [bits] * 3, [bits] * 2, f"i{bits}x3")
            add(f"addc.cc.{t}", f"add.cc.{t} %r, %a, %b;\naddc.cc.{t} %r, %b, %c;\naddc.{t} %s, 0, 0;",
                [bits] * 3, [bits] * 2, f"i{bits}x3")
            add(f"sub.cc.{t}", f"sub.cc.{t} %r, %a, %b;\nsubc.{t} %s, %c, 0;", [bits] * 3, [bits] * 2, f"i{bits}x3")
            add(f"subc.cc.{t}", f"sub.cc.{t} %r, %a, %b;\nsubc.cc.{t} %r, %b, %c;\nsubc.{t} %s, 0, 0;",
                [bits] * 3, [bits] * 2, f"i{bits}x3")
            add(f"mad.lo.cc.{t}", f"mad.lo.cc.{t} %r, %a, %b, %c;\nmadc.hi.{t} %s, %a, %b, 0;",
                [bits] * 3, [bits] * 2, f"i{bits}x3")
            add(f"mad.hi.cc.{t}", f"mad.hi.cc.{t} %r, %a, %b, %c;\naddc.{t} %s, 0, 0;",
                [bits] * 3, [bits] * 2, f"i{bits}x3")
            add(f"madc.lo.{t}", f"add.cc.{t} %s, %a, %b;\nmadc.lo.{t} %r, %a, %b, %c;",
                [bits] * 3, [bits] * 2, f"i{bits}x3")
    for dst, kind, bits in (("u32", "u32", 32), ("s32", "s32", 32), ("u32", "s32", 32), ("u32", "u16", 16), ("f32", "s32", 32)):
        for compare in ("eq", "lt", "ge"):
            op(f"set.{compare}.{dst}.{kind}", [bits] * 2, 32, f"i{bits}x2")
    for boolean in ("and", "or", "xor"):
        add(f"setp.lt.{boolean}.s32", f"setp.ne.b32 %q, %c, 0;\nsetp.lt.{boolean}.s32 %p|%q, %a, %b, %q;\n"
            "selp.b32 %r, 1, 0, %p;\nselp.b32 %s, 1, 0, %q;", [32] * 3, [32, 32], "i32x3")
        add(f"set.gt.{boolean}.u32.s32", f"setp.ne.b32 %q, %c, 0;\nset.gt.{boolean}.u32.s32 %r, %a, %b, !%q;",
            [32] * 3, [32], "i32x3")
    for name in ("and", "or", "xor"):
        add(f"{name}.pred", f"setp.lt.s32 %p, %a, 0;\nsetp.lt.s32 %q, %b, 0;\n{name}.pred %p, %p, %q;\nselp.b32 %r, 1, 0, %p;",
            [32, 32], [32], "i32x2")
    op("cvt.pack.sat.s16.s32", [32, 32], 32, "i32x2")
    op("cvt.pack.sat.u16.s32", [32, 32], 32, "i32x2")
    for t in ("s8", "u8"):
        op(f"cvt.pack.sat.{t}.s32.b32", [32] * 3, 32, "i32x3")
    op("fns.b32", [32, 32, 32], 32, "fns")


def addCompare(compare, t, bits, values, like=None):
    add(f"setp.{compare}.{t}", f"setp.{compare}.{t} %p, %a, %b;\nselp.b32 %r, 1, 0, %p;", [bits] * 2, [32], values, like)


FLOAT_COMPARES = ("eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan")


def addFloats():
    for bits in (32, 64):
        t = f"f{bits}"
        flushes = ("", ".ftz") if bits == 32 else ("",)
        saturations = ("", ".sat") if bits == 32 else ("",)
        one, two, three = f"{t}x1", f"{t}x2", f"{t}x3"
        for name, values, count in (("add", two, 2), ("sub", two, 2), ("mul", two, 2), ("fma", three, 3)):
            for mode in ("rn", "rz", "rm", "rp"):
                for ftz in flushes:
                    for sat in saturations:
                        if sat and mode in ("rz", "rm"):
                            continue
                        op(f"{name}.{mode}{ftz}{sat}.{t}", [bits] * count, bits, values, f"{name}.rn.{t}")
        for name in ("div", "rcp", "sqrt"):
            for mode in ("rn", "rz", "rm", "rp"):
                for ftz in flushes:
                    count = 2 if name == "div" else 1
                    op(f"{name}.{mode}{ftz}.{t}", [bits] * count, bits, two if count == 2 else one, f"{name}.rn.{t}")
        for ftz in flushes:
            op(f"abs{ftz}.{t}", [bits], bits, one)
            op(f"neg{ftz}.{t}", [bits], bits, one)
            for name in ("min", "max"):
                op(f"{name}{ftz}.{t}", [bits] * 2, bits, two)
                if bits == 32:
                    op(f"{name}{ftz}.NaN.{t}", [bits] * 2, bits, two, f"{name}{ftz}.{t}")
                    op(f"{name}{ftz}.xorsign.abs.{t}", [bits] * 2, bits, two, f"{name}{ftz}.{t}")
                    op(f"{name}{ftz}.NaN.xorsign.abs.{t}", [bits] * 2, bits, two, f"{name}{ftz}.{t}")
        op(f"copysign.{t}", [bits] * 2, bits, two)
        for kind in ("finite", "infinite", "number", "notanumber", "normal", "subnormal"):
            add(f"testp.{kind}.{t}", f"testp.{kind}.{t} %p, %a;\nselp.b32 %r, 1, 0, %p;", [bits], [32], one)
        for compare in FLOAT_COMPARES:
            addCompare(compare, t, bits, two)
        for compare in ("eq", "lt", "ne", "geu", "nan"):
            if bits == 32:
                add(f"setp.{compare}.ftz.f32", f"setp.{compare}.ftz.f32 %p, %a, %b;\nselp.b32 %r, 1, 0, %p;",
                    [32] * 2, [32], two)
            op(f"set.{compare}.u32.{t}", [bits] * 2, 32, two)
            op(f"set.{compare}.f32.{t}", [bits] * 2, 32, two)
    op("add.f32", [32] * 2, 32, "f32x2", "add.rn.f32")
    op("mul.f32", [32] * 2, 32, "f32x2", "mul.rn.f32")
    op("add.f64", [64] * 2, 64, "f64x2", "add.rn.f64")
    op("mul.ftz.sat.f32", [32] * 2, 32, "f32x2", "mul.rn.f32")


def addHalves():
    for t, bits in (("f16", 16), ("bf16", 16), ("f16x2", 32), ("bf16x2", 32)):
        scalar = t.replace("x2", "")
        one, two, three = f"{t}x1", f"{t}x2", f"{t}x3"
        isF16 = scalar == "f16"
        for ftz in ("", ".ftz") if isF16 else ("",):
            for sat in ("", ".sat") if isF16 else ("",):
                for name in ("add", "sub", "mul"):
                    op(f"{name}{ftz}{sat}.{t}", [bits] * 2, bits, two, f"{name}.{t}")
                    if not ftz and not sat:
                        op(f"{name}.rn.{t}", [bits] * 2, bits, two, f"{name}.{t}")
                op(f"fma.rn{ftz}{sat}.{t}", [bits] * 3, bits, three, f"fma.rn.{t}")
            op(f"fma.rn{ftz}.relu.{t}", [bits] * 3, bits, three, f"fma.rn.{t}")
            for name in ("min", "max"):
                for nan in ("", ".NaN"):
                    for xorsign in ("", ".xorsign.abs"):
                        op(f"{name}{ftz}{nan}{xorsign}.{t}", [bits] * 2, bits, two, f"{name}{ftz}.{t}")
            op(f"abs{ftz}.{t}", [bits], bits, one)
            op(f"neg{ftz}.{t}", [bits], bits, one)
        for compare in FLOAT_COMPARES:
            if bits == 16:
                addCompare(compare, t, 16, two)
            else:
                add(f"setp.{compare}.{t}", f"setp.{compare}.{t} %p|%q, %a, %b;\nselp.b32 %r, 1, 0, %p;\nselp.b32 %s, 1, 0, %q;",
                    [32] * 2, [32, 32], two)
        for compare in ("eq", "lt", "geu", "nan"):
            op(f"set.{compare}.{t}.{t}", [bits] * 2, bits, two)
            if bits == 16:
                op(f"set.{compare}.u32.{t}", [bits] * 2, 32, two)
                op(f"set.{compare}.u16.{t}", [bits] * 2, 16, two)
            else:
                op(f"set.{compare}.u32.{t}", [bits] * 2, 32, two)


INTEGERS = ("u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64")


def width(t):
    return int(t[1:])


def register(t):
    """8-bit values live in .b32 registers."""
    return 32 if width(t) == 8 else width(t)


def holds(target, source):
    """Whether every value of `source` is one of `target`: .sat is no modifier then."""
    if source[0] == "s":
        return target[0] == "s" and width(target) >= width(source)
    return width(target) >= width(source) + (target[0] == "s")


def addConversions():
    for source in INTEGERS:
        for target in INTEGERS:
            if source == target:
                continue
            op(f"cvt.{target}.{source}", [register(source)], register(target), f"i{register(source)}cvt")
            if not holds(target, source):
                op(f"cvt.sat.{target}.{source}", [register(source)], register(target), f"i{register(source)}cvt",
                   f"cvt.{target}.{source}")
    floats = (("f16", 16), ("bf16", 16), ("f32", 32), ("f64", 64))
    for source in INTEGERS:
        for target, bits in floats:
            if target == "bf16" and width(source) == 8:
                continue  # no such conversion
            for mode in ("rn", "rz", "rm", "rp"):
                op(f"cvt.{mode}.{target}.{source}", [register(source)], bits, f"i{register(source)}float",
                   f"cvt.rn.{target}.{source}")
        op(f"cvt.rn.sat.f32.{source}", [register(source)], 32, f"i{register(source)}float", f"cvt.rn.f32.{source}")
    for source, bits in floats:
        for target in INTEGERS:
            if source == "bf16" and width(target) == 8:
                continue
            for mode in ("rni", "rzi", "rmi", "rpi"):
                op(f"cvt.{mode}.{target}.{source}", [bits], register(target), f"{source}int", f"cvt.rni.{target}.{source}")
            if source == "f32":
                op(f"cvt.rpi.ftz.{target}.f32", [32], register(target), "f32int", f"cvt.rni.{target}.f32")
            if source != "bf16":
                op(f"cvt.rzi.sat.{target}.{source}", [bits], register(target), f"{source}int", f"cvt.rni.{target}.{source}")
    for t, bits in floats:
        for mode in ("rni", "rzi", "rmi", "rpi"):
            op(f"cvt.{mode}.{t}.{t}", [bits], bits, f"{t}int")
    op("cvt.rni.ftz.f32.f32", [32], 32, "f32int")
    op("cvt.rpi.ftz.f32.f32", [32], 32, "f32int")
    op("cvt.rmi.sat.f32.f32", [32], 32, "f32int")
    op("cvt.sat.f32.f32", [32], 32, "f32x1")
    op("cvt.ftz.sat.f32.f32", [32], 32, "f32x1")
    for mode in ("rn", "rz", "rm", "rp"):
        op(f"cvt.{mode}.f32.f64", [64], 32, "f64narrow", "cvt.rn.f32.f64")
        op(f"cvt.{mode}.ftz.f32.f64", [64], 32, "f64narrow", "cvt.rn.f32.f64")
        op(f"cvt.{mode}.f16.f64", [64], 16, "f64narrow", "cvt.rn.f16.f64")
        op(f"cvt.{mode}.bf16.f64", [64], 16, "f64narrow", "cvt.rn.bf16.f64")
        op(f"cvt.{mode}.f16.f32", [32], 16, "f32narrow", "cvt.rn.f16.f32")
        op(f"cvt.{mode}.bf16.f32", [32], 16, "f32narrow", "cvt.rn.bf16.f32")
        op(f"cvt.{mode}.bf16.f16", [16], 16, "f16x1")
        op(f"cvt.{mode}.f16.bf16", [16], 16, "bf16x1")
    op("cvt.rn.sat.f16.f32", [32], 16, "f32narrow", "cvt.rn.f16.f32")
    op("cvt.rn.ftz.f16.f32", [32], 16, "f32narrow", "cvt.rn.f16.f32")
    op("cvt.rn.sat.f32.f64", [64], 32, "f64narrow", "cvt.rn.f32.f64")
    for mode in ("rn", "rz"):
        op(f"cvt.{mode}.relu.f16.f32", [32], 16, "f32narrow", "cvt.rn.f16.f32")
        op(f"cvt.{mode}.relu.bf16.f32", [32], 16, "f32narrow", "cvt.rn.bf16.f32")
        for t in ("f16x2", "bf16x2"):
            op(f"cvt.{mode}.{t}.f32", [32, 32], 32, "f32narrow2", f"cvt.rn.{t}.f32")
            op(f"cvt.{mode}.relu.{t}.f32", [32, 32], 32, "f32narrow2", f"cvt.rn.{t}.f32")
        op(f"cvt.{mode}.tf32.f32", [32], 32, "f32narrow")
        op(f"cvt.{mode}.relu.tf32.f32", [32], 32, "f32narrow", f"cvt.{mode}.tf32.f32")
    op("cvt.rna.tf32.f32", [32], 32, "f32narrow", "cvt.rn.tf32.f32")
    op("cvt.rna.satfinite.tf32.f32", [32], 32, "f32narrow", "cvt.rn.tf32.f32")
    op("cvt.f32.f16", [16], 32, "f16x1")
    op("cvt.ftz.f32.f16", [16], 32, "f16x1", "cvt.f32.f16")
    op("cvt.sat.f32.f16", [16], 32, "f16x1", "cvt.f32.f16")
    op("cvt.f32.bf16", [16], 32, "bf16x1")
    op("cvt.f64.f16", [16], 64, "f16x1")
    op("cvt.f64.bf16", [16], 64, "bf16x1")
    op("cvt.f64.f32", [32], 64, "f32x1")
    op("cvt.ftz.f64.f32", [32], 64, "f32x1", "cvt.f64.f32")
    op("cvt.sat.f64.f32", [32], 64, "f32x1")
    for t in ("e4m3x2", "e5m2x2"):
        for relu in ("", ".relu"):
            op(f"cvt.rn.satfinite{relu}.{t}.f32", [32, 32], 16, "f32fp8", f"cvt.rn.satfinite.{t}.f32")
            op(f"cvt.rn.satfinite{relu}.{t}.f16x2", [32], 16, "f16x2fp8", f"cvt.rn.satfinite.{t}.f16x2")
            op(f"cvt.rn{relu}.f16x2.{t}", [16], 32, "i16all", f"cvt.rn.f16x2.{t}")


def addApproximations():
    op("ex2.approx.f32", [32], 32, "f32ex2", None, approx("f32", {"rel": 2.0 ** -22}))
    op("ex2.approx.ftz.f32", [32], 32, "f32ex2", "ex2.approx.f32", approx("f32", {"rel": 2.0 ** -22}))
    logarithm = ({"lo": 0.5, "hi": 2.0, "abs": 2.0 ** -22}, {"rel": 2.0 ** -22})
    op("lg2.approx.f32", [32], 32, "f32lg2", None, approx("f32", *logarithm))
    op("lg2.approx.ftz.f32", [32], 32, "f32lg2", "lg2.approx.f32", approx("f32", *logarithm))
    op("rsqrt.approx.f32", [32], 32, "f32root", None, approx("f32", {"rel": 2.0 ** -22.9}))
    op("rsqrt.approx.ftz.f32", [32], 32, "f32root", "rsqrt.approx.f32", approx("f32", {"rel": 2.0 ** -22.9}))
    op("rcp.approx.f32", [32], 32, "f32root", None, approx("f32", {"ulp": 1}))
    op("rcp.approx.ftz.f32", [32], 32, "f32root", "rcp.approx.f32", approx("f32", {"ulp": 1}))
    op("sqrt.approx.f32", [32], 32, "f32root", None, approx("f32", {"rel": 2.0 ** -23}))
    op("sqrt.approx.ftz.f32", [32], 32, "f32root", "sqrt.approx.f32", approx("f32", {"rel": 2.0 ** -23}))
    circle = ({"hi": 6.2831854, "abs": 2.0 ** -20.5}, {"hi": 314.15927, "abs": 2.0 ** -14.7})
    for name in ("sin", "cos"):
        op(f"{name}.approx.f32", [32], 32, "f32angle", None, approx("f32", *circle))
        op(f"{name}.approx.ftz.f32", [32], 32, "f32angle", f"{name}.approx.f32", approx("f32", *circle))
    op("tanh.approx.f32", [32], 32, "f32tanh", None, approx("f32", {"rel": 2.0 ** -11}))
    op("div.full.f32", [32] * 2, 32, "f32div", None, approx("f32", {"ulp": 2}))
    op("div.full.ftz.f32", [32] * 2, 32, "f32div", "div.full.f32", approx("f32", {"ulp": 2}))
    op("div.approx.f32", [32] * 2, 32, "f32div", "div.full.f32", approx("f32", {"ulp": 2}))
    op("div.approx.ftz.f32", [32] * 2, 32, "f32div", "div.full.f32", approx("f32", {"ulp": 2}))
    # "A gross approximation": the lower half of the result is zero.
    op("rcp.approx.ftz.f64", [64], 64, "f64root", None, approx("f64", {"rel": 2.0 ** -20}))
    op("rsqrt.approx.f64", [64], 64, "f64root", None, approx("f64", {"rel": 2.0 ** -20}))
    op("rsqrt.approx.ftz.f64", [64], 64, "f64root", None, approx("f64", {"rel": 2.0 ** -20}))
    op("ex2.approx.f16", [16], 16, "f16ex2", None, approx("f16", {"rel": 2.0 ** -9.9}))
    op("ex2.approx.f16x2", [32], 32, "f16x2ex2", None, approx("f16x2", {"rel": 2.0 ** -9.9}))
    op("ex2.approx.ftz.bf16", [16], 16, "bf16ex2", None, approx("bf16", {"rel": 2.0 ** -7}))
    op("ex2.approx.ftz.bf16x2", [32], 32, "bf16x2ex2", None, approx("bf16x2", {"rel": 2.0 ** -7}))
    op("tanh.approx.f16", [16], 16, "f16ex2", None, approx("f16", {"abs": 2.0 ** -10.987}))
    op("tanh.approx.f16x2", [32], 32, "f16x2ex2", None, approx("f16x2", {"abs": 2.0 ** -10.987}))
    op("tanh.approx.bf16", [16], 16, "bf16ex2", None, approx("bf16", {"abs": 2.0 ** -8}))
    op("tanh.approx.bf16x2", [32], 32, "bf16x2ex2", None, approx("bf16x2", {"abs": 2.0 ** -8}))


def addLanes():
    """Between the lanes of a warp: an element is a lane, 32 elements a warp."""
    for mode in ("up", "down", "bfly", "idx"):
        add(f"shfl.sync.{mode}.b32", f"shfl.sync.{mode}.b32 %r|%p, %a, %b, %c, 0xffffffff;\nselp.b32 %s, 1, 0, %p;",
            [32] * 3, [32, 32], "shuffle")
    for mode in ("all", "any", "uni"):
        add(f"vote.sync.{mode}.pred", f"setp.ne.b32 %p, %a, 0;\nvote.sync.{mode}.pred %q, %p, 0xffffffff;\nselp.b32 %r, 1, 0, %q;",
            [32], [32], "vote")
    add("vote.sync.ballot.b32", "setp.ne.b32 %p, %a, 0;\nvote.sync.ballot.b32 %r, %p, 0xffffffff;", [32], [32], "vote")
    add("match.any.sync.b32", "match.any.sync.b32 %r, %a, 0xffffffff;", [32], [32], "vote")
    add("match.any.sync.b64", "match.any.sync.b64 %r, %a, 0xffffffff;", [64], [32], "vote64")
    add("match.all.sync.b32", "match.all.sync.b32 %r|%p, %a, 0xffffffff;\nselp.b32 %s, 1, 0, %p;", [32], [32, 32], "vote")
    for name in ("add", "min", "max"):
        for t in ("u32", "s32"):
            add(f"redux.sync.{name}.{t}", f"redux.sync.{name}.{t} %r, %a, 0xffffffff;", [32], [32], "i32x1")
    for name in ("and", "or", "xor"):
        add(f"redux.sync.{name}.b32", f"redux.sync.{name}.b32 %r, %a, 0xffffffff;", [32], [32], "i32x1")
    add("elect.sync", "elect.sync %r|%p, 0xffffffff;\nselp.b32 %s, 1, 0, %p;", [32], [32, 32], "vote")
    add("movmatrix", "movmatrix.sync.aligned.m8n8.trans.b16 %r, %a;", [32], [32], "i32x1")


def addMatrices():
    """mma.sync: an element is a lane's fragment. Small whole numbers are exact;
    fractions in (-1, 1) are bounded by how the sum may be cut off."""
    close = {"kind": "approx", "type": "f32", "bounds": [{"abs": 2.0 ** -17}]}
    loose = {"kind": "approx", "type": "f32", "bounds": [{"abs": 2.0 ** -8}]}
    half = {"kind": "approx", "type": "f16x2", "bounds": [{"abs": 2.0 ** -7}]}
    for shape, target, t, a, b, c in (
            ("m16n8k8", "f32", "f16", 2, 1, 4), ("m16n8k8", "f16", "f16", 2, 1, 2),
            ("m16n8k16", "f32", "f16", 4, 2, 4), ("m16n8k16", "f16", "f16", 4, 2, 2),
            ("m16n8k8", "f32", "bf16", 2, 1, 4), ("m16n8k16", "f32", "bf16", 4, 2, 4),
            ("m16n8k4", "f32", "tf32", 2, 1, 4), ("m16n8k8", "f32", "tf32", 4, 2, 4),
            ("m16n8k32", "f32", "e4m3", 4, 2, 4), ("m16n8k32", "f32", "e5m2", 4, 2, 4)):
        name = f"mma.{shape}.{target}.{t}"
        text = makeMma(f"mma.sync.aligned.{shape}.row.col.{target}.{t}.{t}.{target}", a, b, c)
        values = f"mma_{t}_{a}{b}_{target}"
        add(name + ".whole", text, [32] * (a + b + c), [32] * c, values + "_whole")
        bound = half if target == "f16" else loose if t.startswith("e") else close
        add(name + ".fraction", text, [32] * (a + b + c), [32] * c, values + "_fraction", None, bound)
    for first in "su":
        for second in "su":
            for shape, a, b in (("m16n8k16", 2, 1), ("m16n8k32", 4, 2)):
                for sat in ("", ".satfinite"):
                    name = f"mma.{shape}.s32.{first}8.{second}8{sat}"
                    text = makeMma(f"mma.sync.aligned.{shape}.row.col{sat}.s32.{first}8.{second}8.s32", a, b, 4)
                    add(name, text, [32] * (a + b + 4), [32] * 4, f"mma_i8_{a}{b}")
    text = "mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%r, %s}, {%a}, {%b}, {%c, %d};"
    add("mma.m8n8k4.f64", text, [64] * 4, [64] * 2, "mma_f64")


def makeMma(name, a, b, c):
    group = lambda letters: "{" + ", ".join("%" + letter for letter in letters) + "}"
    return (f"{name} " + ", ".join([group(RESULTS[:c]), group(OPERANDS[:a]), group(OPERANDS[a:a + b]),
                                    group(OPERANDS[a + b:a + b + c])]) + ";")


def makeTable():
    addIntegers()
    addFloats()
    addHalves()
    addConversions()
    addApproximations()
    addLanes()
    addMatrices()
    return table


def main():
    parser = argparse.ArgumentParser(description="Writes the table of recorded instructions.")
    parser.add_argument("--out", default=os.path.join(HERE, "instructions.json"))
    options = parser.parse_args()
    rows = ",\n".join("  " + json.dumps(entry) for entry in makeTable())
    with open(options.out, "w") as file:
        file.write('{"template": %s,\n "stride": %d,\n "instructions": [\n%s\n]}\n'
                   % (json.dumps(TEMPLATE), STRIDE, rows))
    print(f"{len(table)} instructions")


if __name__ == "__main__":
    main()
