#!/usr/bin/env python3
"""The operand values of the recorded instructions: makeSets() is {set: [column of
operand a, of b, ...]}, each value an unsigned bit pattern. Deterministic; a count
is a multiple of 32, so that warps are full."""
import random
import struct
import zlib

PROBE = 256


def bitsOfFloat(x):
    """f32 bits of a double, rounded to nearest; overflow is infinity."""
    try:
        return struct.unpack("<I", struct.pack("<f", x))[0]
    except OverflowError:
        return 0x7F800000 if x > 0 else 0xFF800000


def floatOfBits(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def bitsOfDouble(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def bitsOfHalf(x):
    try:
        return struct.unpack("<H", struct.pack("<e", x))[0]
    except OverflowError:
        return 0x7C00 if x > 0 else 0xFC00


def bitsOfBfloat(x):
    """bf16 bits; x is exact in f32, ties to even."""
    bits = bitsOfFloat(x)
    if bits & 0x7FFFFFFF > 0x7F800000:
        return bits >> 16 | 0x40
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


class Format:
    """A binary floating-point format: its edge and random bit patterns."""

    def __init__(self, bits, mantissa):
        self.bits, self.mantissa = bits, mantissa
        self.sign = 1 << (bits - 1)
        self.infinity = self.sign - (1 << mantissa)
        self.bias = (1 << (bits - mantissa - 2)) - 1
        self.one = self.bias << mantissa

    def core(self):
        """Positive patterns where rules change; the sign comes on top."""
        m, i, one = self.mantissa, self.infinity, self.one
        quiet = i | 1 << (m - 1)
        return [0, 1, 2, (1 << m) - 1, 1 << (m - 1), 1 << m, (1 << m) + 1, (2 << m) - 1, 2 << m, one - 1, one,
                one + 1, one + (1 << (m - 1)), one + (1 << m), one - (1 << m), one + (2 << m),
                one + (m << m), one + ((m + 1) << m), one + ((m + 1) << m) + 1, i - 1, i - 2, i - (1 << m), i, quiet,
                i | 1, quiet | 5, self.sign - 1]

    def edges(self):
        return [bits for pattern in self.core() for bits in (pattern, pattern | self.sign)]

    def near(self, rng, spread):
        """A number with an exponent near that of one."""
        spread = min(spread, self.bias - 1)
        exponent = self.bias + rng.randint(-spread, spread)
        return rng.getrandbits(1) * self.sign | exponent << self.mantissa | rng.getrandbits(self.mantissa)

    def denormal(self, rng):
        return rng.getrandbits(1) * self.sign | rng.getrandbits(self.mantissa)

    def any(self, rng):
        choice = rng.randrange(8)
        if choice < 5:
            return self.near(rng, 5 if choice < 3 else 2 * self.mantissa)
        if choice == 5:
            return self.denormal(rng)
        return rng.getrandbits(self.bits)


FORMATS = {"f16": Format(16, 10), "bf16": Format(16, 7), "f32": Format(32, 23), "f64": Format(64, 52)}


def fill(values, count, make):
    values = list(dict.fromkeys(values))[:count]
    while len(values) < count:
        values.append(make())
    return values


def floatUnary(form, rng, count=PROBE):
    return [fill(form.edges(), count, lambda: form.any(rng))]


def floatBinary(form, rng, count=PROBE):
    rows = []
    core = form.edges()
    main = [0, form.sign, 1, form.one, form.sign | form.one, form.infinity, form.sign | form.infinity,
            form.infinity | 1 << (form.mantissa - 1), form.infinity - 1, form.sign | 1]
    for a in main:
        for b in main[:7]:
            rows.append((a, b))
    while len(rows) < count // 2:
        rows.append((rng.choice(core), rng.choice(core)))
    while len(rows) < count:
        a = form.near(rng, 3)
        kind = rng.randrange(5)
        if kind == 0:  # cancels but for a few units
            rows.append((a, (a ^ form.sign) + rng.randint(-3, 3)))
        elif kind == 1:  # far apart, near the rounding boundary
            rows.append((a, form.near(rng, form.mantissa + 2)))
        elif kind == 2:  # a product around the smallest normal number
            rows.append((form.near(rng, 2) - (form.bias // 2 << form.mantissa),
                         form.near(rng, 2) - ((form.bias // 2 + rng.randint(0, 4)) << form.mantissa)))
        elif kind == 3:  # half a unit of the other
            short = a & ~1 | rng.getrandbits(1)
            rows.append((short, form.sign * rng.getrandbits(1) |
                         (((short & ~form.sign) >> form.mantissa) - form.mantissa - 1) << form.mantissa))
        else:
            rows.append((form.any(rng), form.any(rng)))
    return columns(rows, form.bits)


def floatTernary(form, rng, value, pattern, count=PROBE):
    rows = []
    core = form.edges()
    main = [0, form.sign, form.one, form.infinity, form.sign | form.infinity]
    for a in main[:4]:
        for b in main[:4]:
            for c in main:
                rows.append((a, b, c))
    while len(rows) < count // 2:
        rows.append((rng.choice(core), rng.choice(core), rng.choice(core)))
    while len(rows) < count:
        a, b = form.near(rng, 3), form.near(rng, 3)
        kind = rng.randrange(3)
        if kind == 0:  # c undoes the rounded product
            rows.append((a, b, pattern(-value(a) * value(b)) + rng.randint(-1, 1)))
        elif kind == 1:
            rows.append((a, b, form.near(rng, form.mantissa + 3)))
        else:
            rows.append((form.any(rng), form.any(rng), form.any(rng)))
    return columns(rows, form.bits)


def columns(rows, *widths):
    """Rows as columns; every value cut to its width."""
    widths = list(widths) * (len(rows[0]) if len(widths) == 1 else 1)
    return [[row[k] & ((1 << width) - 1) for row in rows] for k, width in enumerate(widths)]


def integerEdges(bits):
    top = 1 << (bits - 1)
    edges = [0, 1, 2, 3, 7, 0x55, 0x7F, 0x80, 0xFF, top - 1, top, top + 1, 2 * top - 1, 2 * top - 2, top >> 1,
             0x7FFF & (2 * top - 1), 0x8000 & (2 * top - 1), 2 * top - 3, 2 * top - 0x80, 2 * top - 0x81]
    if bits > 16:
        edges += [0xFFFF, 0x10000, 0x7FFFFF, 0xFFFFFF, 0x1000000, 0x55555555, 0xAAAAAAAA, 0xFFFF0000]
    if bits > 32:
        edges += [0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0xFFFFFFFF00000000, 0xFFFFFFFF80000000,
                  0x5555555555555555]
    return [edge & (2 * top - 1) for edge in edges]


def anyInteger(rng, bits):
    """Of any magnitude, either sign."""
    value = rng.getrandbits(rng.randint(1, bits))
    return (value if rng.getrandbits(1) else -value) & ((1 << bits) - 1)


def integers(rng, bits, arity, count):
    edges = integerEdges(bits)
    if arity == 1:
        return [fill(edges, count, lambda: anyInteger(rng, bits))]
    rows = [(e,) * arity for e in edges[:8]]
    while len(rows) < count // 2:
        rows.append(tuple(rng.choice(edges) for _ in range(arity)))
    while len(rows) < count:
        rows.append(tuple(anyInteger(rng, bits) for _ in range(arity)))
    return columns(rows, bits)


SHIFTS = [0, 1, 2, 7, 8, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 127, 128, 255, 256, 257, 0x10000, 0x7FFFFFFF,
          0x80000000, 0xFFFFFFFF]


def withShifts(rng, bits, arity, shifts, count=128):
    rows = []
    for k in range(count):
        tail = tuple(SHIFTS[k % len(SHIFTS)] if s == 0 and k < 2 * len(SHIFTS) else
                     rng.choice(SHIFTS) if rng.getrandbits(1) else rng.randint(0, bits) for s in range(shifts))
        rows.append(tuple(anyInteger(rng, bits) for _ in range(arity)) + tail)
    return columns(rows, *([bits] * arity + [32] * shifts))


def toInteger(pattern, rng, count):
    """Around the limits of the integer types and between whole numbers."""
    values = [0.0, -0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 3.5, 1e-10, 126.5, 127.0, 127.5, 128.0, 128.5, 129.0, 254.5,
              255.0, 255.5, 256.0, 32766.5, 32767.0, 32767.5, 32768.0, 32768.5, 65534.5, 65535.0, 65535.5, 65536.0,
              2.0 ** 23 - 0.5, 2.0 ** 23 + 1, 2.0 ** 31 - 128, 2.0 ** 31 - 0.5, 2.0 ** 31, 2.0 ** 32 - 256,
              2.0 ** 32 - 0.5, 2.0 ** 32, 2.0 ** 52 + 0.5, 2.0 ** 53, 2.0 ** 62, 2.0 ** 63, 2.0 ** 63 * 1.5, 2.0 ** 64,
              2.0 ** 100, 1e-40, float("inf")]
    patterns = [pattern(v) for value in values for v in (value, -value)]
    return fill(patterns, count, lambda: pattern(rng.choice((-1, 1)) * rng.choice(
        (rng.randint(0, 600) / 2, rng.random() * 2.0 ** rng.randint(0, 66), rng.randint(0, 2 ** 18) / 4))))


def narrowing(value, pattern, limit, steps, rng, count):
    """Halfway points of narrower formats, and what lies beside them. `steps`
    are pairs of mantissa bits and the least exponent of a format."""
    made = []
    while len(made) < count:
        bits, least = rng.choice(steps)
        exponent = rng.choice((rng.randint(least - bits - 2, least + 1), rng.randint(-6, 10), limit - 1, limit))
        grain = 2.0 ** (max(exponent, least) - bits)
        x = (rng.randint(1 << bits, (2 << bits) - 1) * 2.0 ** (exponent - bits))
        x = (x // grain) * grain + rng.choice((0.0, 0.5, 0.5, 0.5)) * grain
        made.append((pattern(x) + rng.choice((0, 0, 0, 1, -1))) | (rng.getrandbits(1) * value.sign))
    return [bits & (2 * value.sign - 1) for bits in made]


def pairOf(low, high):
    return low | high << 16


def packed(form, scalarColumns, rng):
    """f16x2 operands: column values with a shuffled partner above."""
    made = []
    order = list(range(len(scalarColumns[0])))
    rng.shuffle(order)
    for column in scalarColumns:
        made.append([pairOf(low, column[order[k]]) for k, low in enumerate(column)])
    return made


def ramp(pattern, rng, low, high, count, extra=()):
    return [fill([pattern(x) for x in extra], count, lambda: pattern(rng.uniform(low, high)))]


SPECIAL = (0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-42, -1e-42, 2.0 ** -126, 1.0, -1.0, 2.0, 0.5)


def makeMatrixSets(sets):
    def lanes(make, registers):
        return [[make() for _ in range(64)] for _ in range(registers)]

    for kind in ("whole", "fraction"):
        for t, shapes, targets in (("f16", ("21", "42"), ("f32", "f16")), ("bf16", ("21", "42"), ("f32",)),
                                   ("tf32", ("21", "42"), ("f32",)), ("e4m3", ("42",), ("f32",)),
                                   ("e5m2", ("42",), ("f32",))):
            for shape in shapes:
                for target in targets:
                    name = f"mma_{t}_{shape}_{target}_{kind}"
                    rng = random.Random(zlib.crc32(name.encode()))
                    number = ((lambda: rng.randint(-4, 4)) if kind == "whole" else
                              (lambda: rng.choice((-1, 1)) * rng.random()))
                    if t == "tf32":
                        operand = lambda: bitsOfFloat(number()) & 0xFFFFE000
                    elif t in ("f16", "bf16"):
                        pattern = bitsOfHalf if t == "f16" else bitsOfBfloat
                        operand = lambda: pairOf(pattern(number()), pattern(number()))
                    else:
                        operand = lambda: sum(fp8(number, t, rng, kind) << (8 * k) for k in range(4))
                    sum16 = lambda: pairOf(bitsOfHalf(number()), bitsOfHalf(number()))
                    sum32 = lambda: bitsOfFloat(number())
                    a, b = int(shape[0]), int(shape[1])
                    sets[name] = lanes(operand, a + b) + lanes(sum16 if target == "f16" else sum32,
                                                               2 if target == "f16" else 4)
    rng = random.Random(77)
    for a, b in ((2, 1), (4, 2)):
        made = lanes(lambda: rng.getrandbits(32), a + b) + lanes(lambda: anyInteger(rng, 32), 4)
        for column in made:
            column[0], column[32] = 0x80808080, 0x7F7F7F7F
        sets[f"mma_i8_{a}{b}"] = made
    sets["mma_f64"] = lanes(lambda: bitsOfDouble(rng.randint(-1000, 1000) / 8), 4)


def fp8(number, t, rng, kind):
    """Of whole numbers exactly; any finite pattern below one otherwise."""
    mantissa, bias = (3, 7) if t == "e4m3" else (2, 15)
    if kind == "fraction":
        return rng.getrandbits(1) << 7 | rng.randrange(bias << mantissa)
    x = number()
    if x == 0:
        return 0
    magnitude = abs(x)
    exponent = magnitude.bit_length() - 1
    rest = (magnitude - (1 << exponent)) << mantissa >> exponent
    return (x < 0) << 7 | (exponent + bias) << mantissa | rest


def makeSets():
    sets = {}
    for bits in (16, 32, 64):
        rng = random.Random(bits)
        sets[f"i{bits}x1"] = integers(rng, bits, 1, 128)
        sets[f"i{bits}x2"] = integers(rng, bits, 2, 128)
        sets[f"i{bits}x3"] = integers(rng, bits, 3, 128)
        sets[f"i{bits}cvt"] = integers(rng, bits, 1, 64)
        sets[f"i{bits}shift"] = withShifts(rng, bits, 1, 1)
        sets[f"i{bits}slct"] = [*integers(rng, bits, 2, 64),
                                fill(FORMATS["f32"].edges(), 64, lambda: rng.getrandbits(32))]
        if bits < 64:
            sets[f"i{bits}wide"] = [*integers(rng, bits, 2, 128), integers(rng, 2 * bits, 1, 128)[0]]
        if bits > 16:
            sets[f"i{bits}field"] = withShifts(rng, bits, 1, 2, 256)
            sets[f"i{bits}insert"] = withShifts(rng, bits, 2, 2, 256)
        # Halfway points of f16, bf16, f32 and f64 among the whole numbers.
        halves = [(1 << k) + (1 << j) + d for m in (7, 10, 23, 52) for k in range(m + 1, bits)
                  for j in (k - m - 1, k - m) if j >= 0 for d in (-1, 0, 1)]
        rng.shuffle(halves)
        some = integerEdges(bits) + [h & ((1 << bits) - 1) for h in halves[:60]] + \
            [-h & ((1 << bits) - 1) for h in halves[60:90]]
        sets[f"i{bits}float"] = [fill(some, 128, lambda: anyInteger(rng, bits))]
    rng = random.Random(99)
    sets["i32funnel"] = withShifts(rng, 32, 2, 1)
    sets["i32mask"] = columns([(rng.choice(SHIFTS), rng.choice(SHIFTS)) if k % 2 else
                               (rng.randint(0, 34), rng.randint(0, 34)) for k in range(128)], 32)
    sets["prmt"] = [integers(rng, 32, 1, 256)[0], [rng.getrandbits(32) for _ in range(256)],
                    [k if k < 16 else rng.getrandbits(16) if k < 224 else rng.getrandbits(32) for k in range(256)]]
    sets["fns"] = columns([(rng.getrandbits(32) & rng.getrandbits(32), rng.randint(0, 31), rng.randint(-12, 12))
                           for _ in range(128)], 32)
    sets["i16all"] = [[(k * 257 + (k // 128) * 0x8000) & 0xFFFF if k < 256 else rng.getrandbits(16) for k in range(384)]]

    for name, form in FORMATS.items():
        rng = random.Random(zlib.crc32(name.encode()))
        value, pattern = {"f16": (lambda b: struct.unpack("<e", struct.pack("<H", b & 0xFFFF))[0], bitsOfHalf),
                          "bf16": (lambda b: floatOfBits((b & 0xFFFF) << 16), bitsOfBfloat),
                          "f32": (floatOfBits, bitsOfFloat),
                          "f64": (lambda b: struct.unpack("<d", struct.pack("<Q", b))[0], bitsOfDouble)}[name]
        sets[f"{name}x1"] = floatUnary(form, rng, 160)
        sets[f"{name}x2"] = floatBinary(form, rng)
        sets[f"{name}x3"] = floatTernary(form, rng, value, pattern)
        whole = fill(toInteger(pattern, rng, 144), 160, lambda: form.any(rng))
        quiet = form.infinity | 1 << (form.mantissa - 1)
        whole[-3:] = [quiet, form.sign | quiet, form.infinity | 1]
        sets[f"{name}int"] = [[w & (2 * form.sign - 1) for w in whole]]
        if form.bits == 16:
            packedName = name + "x2"
            for arity in (1, 2, 3):
                sets[f"{packedName}x{arity}"] = packed(form, sets[f"{name}x{arity}"], rng)

    rng = random.Random(5)
    f32, f64 = FORMATS["f32"], FORMATS["f64"]
    narrow = f32.edges()[:54] + narrowing(f32, bitsOfFloat, 15, ((10, -14),), rng, 60) + \
        narrowing(f32, bitsOfFloat, 127, ((7, -126), (7, -10), (10, -126)), rng, 60)
    narrow += [bitsOfFloat(s * x) for x in (65504.0, 65519.0, 65519.996, 65520.0, 65536.0, 2.0 ** -24, 2.0 ** -25,
                                            2.0 ** -25 * 1.0001, 2.0 ** -26, 3.3895e38, 3.3961775e38, 3.4e38)
               for s in (1, -1)]
    sets["f32narrow"] = [fill(narrow, 224, lambda: f32.near(rng, 8))]
    order = list(sets["f32narrow"][0])
    rng.shuffle(order)
    sets["f32narrow2"] = [list(sets["f32narrow"][0]), order]
    narrow = f64.edges()[:54] + narrowing(f64, bitsOfDouble, 127, ((23, -126), (23, -10)), rng, 70) + \
        narrowing(f64, bitsOfDouble, 15, ((10, -14), (7, -14)), rng, 60)
    narrow += [bitsOfDouble(s * x) for x in (65504.0, 65519.999, 65520.0, 3.4028235677973366e38, 3.40282356e38, 1e39,
                                             2.0 ** -149, 2.0 ** -150, 2.0 ** -150 * 1.00001, 2.0 ** -151, 2.0 ** -25,
                                             2.0 ** -25 * 1.0000001, 1e-310, 3.3961775e38) for s in (1, -1)]
    sets["f64narrow"] = [fill(narrow, 224, lambda: f64.near(rng, 12))]
    eights = narrowing(f32, bitsOfFloat, 9, ((3, -6), (3, -3)), rng, 90) + \
        narrowing(f32, bitsOfFloat, 16, ((2, -14), (2, -4)), rng, 60)
    eights += [bitsOfFloat(s * x) for x in (0.0, 448.0, 449.0, 464.0, 463.9, 464.1, 480.0, 512.0, 57344.0, 61440.0,
                                            61439.0, 65536.0, 1e9, float("inf"), float("nan"), 2.0 ** -9, 2.0 ** -10,
                                            2.0 ** -10 * 1.01, 2.0 ** -16, 2.0 ** -17, 2.0 ** -17 * 1.01)
               for s in (1, -1)]
    eights = fill(eights, 224, lambda: f32.near(rng, 8))
    order = list(eights)
    rng.shuffle(order)
    sets["f32fp8"] = [eights, order]
    halves = [bitsOfHalf(floatOfBits(bits)) for bits in eights]
    sets["f16x2fp8"] = packed(FORMATS["f16"], [halves], rng)

    sets["f32ex2"] = ramp(bitsOfFloat, rng, -124, 126, 128, SPECIAL + (127.0, 200.0, -200.0, -130.5, -140.25))
    lg2 = ramp(bitsOfFloat, rng, 0.5, 2.0, 80, SPECIAL)[0]
    sets["f32lg2"] = [lg2 + [f32.near(rng, 120) & 0x7FFFFFFF for _ in range(48)]]
    sets["f32root"] = [fill([bitsOfFloat(x) for x in SPECIAL + (4.0, 3.0, 3.4028235e38, -5.0)], 128,
                            lambda: f32.near(rng, 120) & (0x7FFFFFFF if rng.randrange(4) else 0xFFFFFFFF))]
    angle = ramp(bitsOfFloat, rng, -6.2831, 6.2831, 96, SPECIAL)[0]
    sets["f32angle"] = [angle + ramp(bitsOfFloat, rng, -314.0, 314.0, 32)[0]]
    sets["f32tanh"] = ramp(bitsOfFloat, rng, -6, 6, 128, SPECIAL + (20.0, -20.0, 0.01, 1e-4))
    rows = [(bitsOfFloat(a), bitsOfFloat(b)) for a in SPECIAL[:5] + (1.0, -3.0) for b in SPECIAL[:5] + (1.0, -3.0)]
    while len(rows) < 192:
        rows.append((f32.near(rng, 60), f32.near(rng, 60)))
    sets["f32div"] = columns(rows, 32)
    sets["f64root"] = [fill([bitsOfDouble(x) for x in SPECIAL[:5] + SPECIAL[8:] + (4.0, -5.0, 5e-324, 1e-310)], 128,
                            lambda: f64.near(rng, 900) & (2 ** 63 - 1 if rng.randrange(4) else 2 ** 64 - 1))]
    half = ramp(bitsOfHalf, rng, -12, 12, 128, SPECIAL[:5] + SPECIAL[8:])[0]
    sets["f16ex2"] = [half]
    sets["f16x2ex2"] = packed(FORMATS["f16"], [half], rng)
    brain = [bitsOfBfloat(x) for x in SPECIAL[:5] + SPECIAL[8:]]
    brain = fill(brain, 128, lambda: bitsOfBfloat(floatOfBits(bitsOfFloat(rng.uniform(-20, 20)))))
    sets["bf16ex2"] = [brain]
    sets["bf16x2ex2"] = packed(FORMATS["bf16"], [brain], rng)

    sets["shuffle"] = [[rng.getrandbits(32) for _ in range(256)], [], []]
    for warp in range(8):
        same = rng.randrange(32)
        clamp = rng.choice((0x1F, 0x0, 0x1C1F, 0x181F, 0x101F, 0x1807, 0x1800, 0x1F1F))
        for lane in range(32):
            sets["shuffle"][1].append((same, rng.randrange(32), rng.randrange(64), 1, 16, lane ^ 5, 31 - lane,
                                       0xFFFFFFFF)[warp])
            sets["shuffle"][2].append(clamp)
    few = [0] * 32 + [1] * 32 + [9] * 31 + [8] + [rng.randrange(3) for _ in range(160)]
    sets["vote"] = [few]
    sets["vote64"] = [[v << 32 | 7 for v in few]]
    makeMatrixSets(sets)
    for name, made in sets.items():
        assert len({len(column) for column in made}) == 1 and len(made[0]) % 32 == 0, name
    return sets


if __name__ == "__main__":
    for name, made in makeSets().items():
        print(name, len(made), "operands", len(made[0]), "elements")
