"""The Triton kernels whose PTX is test data. Plain ones, as they are written in
serving code; every one is right for any extent."""
import triton
import triton.language as tl


@triton.jit
def rms_norm(result, input, weight, epsilon, tokens, hidden, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * hidden
    total = tl.zeros([BLOCK], tl.float32)
    for start in range(0, hidden, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(input + row + at, mask=at < hidden, other=0.0).to(tl.float32)
        total += x * x
    scale = 1.0 / tl.sqrt(tl.sum(total, 0) / hidden + epsilon)
    for start in range(0, hidden, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(input + row + at, mask=at < hidden, other=0.0).to(tl.float32)
        w = tl.load(weight + at, mask=at < hidden, other=0.0).to(tl.float32)
        tl.store(result + row + at, (x * scale * w).to(tl.bfloat16), mask=at < hidden)


@triton.jit
def add_rms_norm(result, residual_out, input, residual, weight, epsilon, tokens, hidden, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * hidden
    total = tl.zeros([BLOCK], tl.float32)
    for start in range(0, hidden, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < hidden
        x = tl.load(input + row + at, mask=inside, other=0.0).to(tl.float32)
        r = tl.load(residual + row + at, mask=inside, other=0.0).to(tl.float32)
        rounded = (x + r).to(tl.bfloat16)
        tl.store(residual_out + row + at, rounded, mask=inside)
        total += rounded.to(tl.float32) * rounded.to(tl.float32)
    scale = tl.rsqrt(tl.sum(total, 0) / hidden + epsilon)
    for start in range(0, hidden, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < hidden
        x = tl.load(input + row + at, mask=inside, other=0.0).to(tl.float32)
        r = tl.load(residual + row + at, mask=inside, other=0.0).to(tl.float32)
        w = tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
        rounded = (x + r).to(tl.bfloat16).to(tl.float32)
        tl.store(result + row + at, (rounded * scale * w).to(tl.bfloat16), mask=inside)


@triton.jit
def silu_and_mul(result, gate_up, tokens, intermediate, BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < intermediate
    # No `other`: what is not loaded is never stored.
    gate = tl.load(gate_up + token * 2 * intermediate + at, mask=inside).to(tl.float32)
    up = tl.load(gate_up + token * 2 * intermediate + intermediate + at, mask=inside).to(tl.float32)
    silu = gate / (1.0 + tl.exp(-gate))
    tl.store(result + token * intermediate + at, (silu * up).to(tl.bfloat16), mask=inside)


@triton.jit
def softmax(result, input, rows, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * columns
    largest = tl.full([BLOCK], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK], tl.float32)
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(input + row + at, mask=at < columns, other=float("-inf")).to(tl.float32)
        largest = tl.maximum(largest, x)
    top = tl.max(largest, 0)
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(input + row + at, mask=at < columns, other=float("-inf")).to(tl.float32)
        total += tl.exp(x - top)
    scale = 1.0 / tl.sum(total, 0)
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(input + row + at, mask=at < columns, other=float("-inf")).to(tl.float32)
        tl.store(result + row + at, (tl.exp(x - top) * scale).to(tl.bfloat16), mask=at < columns)


@triton.jit
def rope(query_out, key_out, query, key, positions, cos_sin, tokens, q_heads, kv_heads, head_dim,
         BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    half = head_dim // 2
    row = tl.load(positions + token).to(tl.int64) * head_dim
    if head < q_heads:
        source = query + (token * q_heads + head) * head_dim
        target = query_out + (token * q_heads + head) * head_dim
    else:
        source = key + (token * kv_heads + head - q_heads) * head_dim
        target = key_out + (token * kv_heads + head - q_heads) * head_dim
    for start in range(0, half, BLOCK):
        i = start + tl.arange(0, BLOCK)
        inside = i < half
        cosine = tl.load(cos_sin + row + i, mask=inside)
        sine = tl.load(cos_sin + row + half + i, mask=inside)
        a = tl.load(source + i, mask=inside).to(tl.float32)
        b = tl.load(source + half + i, mask=inside).to(tl.float32)
        tl.store(target + i, (a * cosine - b * sine).to(tl.bfloat16), mask=inside)
        tl.store(target + half + i, (b * cosine + a * sine).to(tl.bfloat16), mask=inside)


@triton.jit
def layer_norm(result, input, weight, epsilon, tokens, hidden, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * hidden
    total = tl.zeros([BLOCK], tl.float32)
    for start in range(0, hidden, BLOCK):
        at = start + tl.arange(0, BLOCK)
        total += tl.load(input + row + at, mask=at < hidden, other=0.0).to(tl.float32)
    mean = tl.sum(total, 0) / hidden
    square = tl.zeros([BLOCK], tl.float32)
    for start in range(0, hidden, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(input + row + at, mask=at < hidden, other=0.0).to(tl.float32)
        away = tl.where(at < hidden, x - mean, 0.0)
        square += away * away
    scale = 1.0 / tl.sqrt(tl.sum(square, 0) / hidden + epsilon)
    for start in range(0, hidden, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(input + row + at, mask=at < hidden, other=0.0).to(tl.float32)
        w = tl.load(weight + at, mask=at < hidden, other=0.0).to(tl.float32)
        tl.store(result + row + at, ((x - mean) * scale * w).to(tl.bfloat16), mask=at < hidden)


@triton.jit
def linear(result, input, weight, tokens, out_features, in_features,
           ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for start in range(0, in_features, DEPTH):
        k = start + tl.arange(0, DEPTH)
        a = tl.load(input + row[:, None].to(tl.int64) * in_features + k[None, :],
                    mask=(row[:, None] < tokens) & (k[None, :] < in_features), other=0.0)
        b = tl.load(weight + column[None, :].to(tl.int64) * in_features + k[:, None],
                    mask=(column[None, :] < out_features) & (k[:, None] < in_features), other=0.0)
        total = tl.dot(a, b, total)
    tl.store(result + row[:, None].to(tl.int64) * out_features + column[None, :], total.to(tl.bfloat16),
             mask=(row[:, None] < tokens) & (column[None, :] < out_features))


@triton.jit
def matmul_tiles(result, a, b, depth, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr):
    """One tile, extents that divide: the loads are pipelined (cp.async)."""
    row = tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    k = tl.arange(0, DEPTH)
    left = a + row[:, None] * depth + k[None, :]
    right = b + k[:, None] * COLUMNS + column[None, :]
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for _ in range(0, depth, DEPTH):
        total = tl.dot(tl.load(left), tl.load(right), total)
        left += DEPTH
        right += DEPTH * COLUMNS
    tl.store(result + row[:, None] * COLUMNS + column[None, :], total)


@triton.jit
def histogram(counts, sums, values, weights, count, bins, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    bin = tl.load(values + at, mask=inside, other=0) % bins
    weight = tl.load(weights + at, mask=inside, other=0.0)
    tl.atomic_add(counts + bin, 1, mask=inside)
    tl.atomic_add(sums + bin, weight, mask=inside)


@triton.jit
def masked_scale(result, input, count, BLOCK: tl.constexpr):
    """Loads under a mask without `other`; the rest is computed on nothing."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    x = tl.load(input + at, mask=inside)
    y = tl.where(x > 0, x * 2.0, x - 1.0)
    tl.store(result + at, y, mask=inside)


@triton.jit
def cumulative(result, largest, input, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(input + row * columns + at, mask=at < columns, other=0)
    tl.store(result + row * columns + at, tl.cumsum(x, 0), mask=at < columns)
    seen = tl.where(at < columns, x, -2147483648)
    tl.store(largest + row, tl.argmax(seen, 0))


@triton.jit
def dropout(result, input, seed, threshold, count, BLOCK: tl.constexpr):
    """Philox: wide products and xors."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    x = tl.load(input + at, mask=inside)
    keep = tl.randint(seed, at).to(tl.uint32, bitcast=True) >= threshold.to(tl.uint32, bitcast=True)
    tl.store(result + at, tl.where(keep, x, 0.0), mask=inside)


@triton.jit
def sorted_rows(result, input, columns: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, columns)
    x = tl.load(input + row * columns + at)
    tl.store(result + row * columns + at, tl.sort(x))


@triton.jit
def attention_tile(result, query, key, value, length, scale, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
                   DIM: tl.constexpr):
    """One block of queries against all keys, the softmax on the way."""
    row = tl.arange(0, ROWS)
    d = tl.arange(0, DIM)
    q = tl.load(query + row[:, None] * DIM + d[None, :])
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    out = tl.zeros([ROWS, DIM], tl.float32)
    for start in range(0, length, COLUMNS):
        column = start + tl.arange(0, COLUMNS)
        inside = column < length
        k = tl.load(key + column[None, :] * DIM + d[:, None], mask=inside[None, :], other=0.0)
        scores = tl.dot(q, k) * scale
        scores = tl.where(inside[None, :], scores, float("-inf"))
        new = tl.maximum(top, tl.max(scores, 1))
        p = tl.exp2(scores - new[:, None])
        old = tl.exp2(top - new)
        total = total * old + tl.sum(p, 1)
        v = tl.load(value + column[:, None] * DIM + d[None, :], mask=inside[:, None], other=0.0)
        out = tl.dot(p.to(tl.float16), v, out * old[:, None])
        top = new
    tl.store(result + row[:, None] * DIM + d[None, :], (out / total[:, None]).to(tl.float16))
