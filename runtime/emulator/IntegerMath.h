//===- IntegerMath.h - PTX integer arithmetic ------------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One lane of each integer instruction, on values of the instruction's own C++
// type: `mulHi<int32_t>` is mul.hi.s32. Everything wraps; nothing is undefined.
// Branch-free where the instruction is common, so that a loop over a warp's
// lanes vectorises.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_EMULATOR_INTEGERMATH_H
#define FK_RUNTIME_EMULATOR_INTEGERMATH_H

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace fk::emulator {

template <class T> using Unsigned = std::make_unsigned_t<T>;
template <class T> constexpr unsigned bitWidth = sizeof(T) * 8;

/// The type that holds a product of two T.
template <class T>
using Wide = std::conditional_t<
    sizeof(T) == 8,
    std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>,
    std::conditional_t<
        sizeof(T) == 4,
        std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
        std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>>>;

//===-- Sums and products -------------------------------------------------===//

template <class T> constexpr T addWrap(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) +
                        static_cast<Unsigned<T>>(b));
}
template <class T> constexpr T subWrap(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) -
                        static_cast<Unsigned<T>>(b));
}
/// mul.lo. The product is formed in 64 bits, so that 16-bit factors do not
/// promote to int and overflow.
template <class T> constexpr T mulLo(T a, T b) {
  return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
template <class T> constexpr T mulHi(T a, T b) {
  return static_cast<T>((static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b)) >>
                        bitWidth<T>);
}
/// mul.wide: of 16 and 32 bits.
template <class T> constexpr Wide<T> mulWide(T a, T b) {
  if constexpr (sizeof(T) == 2) // uint16_t's promote to a signed product
    return static_cast<Wide<T>>(static_cast<int64_t>(a) * b);
  else
    return static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b);
}
template <class T> constexpr T madLo(T a, T b, T c) {
  return addWrap(mulLo(a, b), c);
}
template <class T> constexpr T madHi(T a, T b, T c) {
  return addWrap(mulHi(a, b), c);
}
template <class T> constexpr Wide<T> madWide(T a, T b, Wide<T> c) {
  return addWrap<Wide<T>>(mulWide(a, b), c);
}

/// add.sat.s32, sub.sat.s32, mad.hi.sat.s32's addition.
constexpr int32_t addSat(int32_t a, int32_t b) {
  int64_t sum = static_cast<int64_t>(a) + b;
  return static_cast<int32_t>(
      std::clamp<int64_t>(sum, std::numeric_limits<int32_t>::min(),
                          std::numeric_limits<int32_t>::max()));
}
constexpr int32_t subSat(int32_t a, int32_t b) {
  int64_t difference = static_cast<int64_t>(a) - b;
  return static_cast<int32_t>(
      std::clamp<int64_t>(difference, std::numeric_limits<int32_t>::min(),
                          std::numeric_limits<int32_t>::max()));
}
constexpr int32_t madHiSat(int32_t a, int32_t b, int32_t c) {
  return addSat(mulHi(a, b), c);
}

/// The lower 24 bits as a number.
constexpr int32_t low24(int32_t a) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) << 8) >> 8;
}
constexpr uint32_t low24(uint32_t a) { return a & 0xffffff; }
/// mul24.lo: bits 31..0 of the 48-bit product; mul24.hi: bits 47..16.
template <class T> constexpr T mul24Lo(T a, T b) {
  return static_cast<T>(mulWide(low24(a), low24(b)));
}
template <class T> constexpr T mul24Hi(T a, T b) {
  return static_cast<T>(mulWide(low24(a), low24(b)) >> 16);
}
template <class T> constexpr T mad24Lo(T a, T b, T c) {
  return addWrap(mul24Lo(a, b), c);
}
template <class T> constexpr T mad24Hi(T a, T b, T c) {
  return addWrap(mul24Hi(a, b), c);
}
constexpr int32_t mad24HiSat(int32_t a, int32_t b, int32_t c) {
  return addSat(mul24Hi(a, b), c);
}

/// A sum of the .cc family and the carry (or borrow) that it leaves.
template <class T> struct Carried {
  T value;
  bool carry;
};
/// add.cc (carry = false), addc, addc.cc; T is unsigned.
template <class T> constexpr Carried<T> addCarry(T a, T b, bool carry) {
  T sum = static_cast<T>(a + b);
  T value = static_cast<T>(sum + carry);
  return {value, sum < a || value < sum};
}
/// sub.cc (borrow = false), subc, subc.cc.
template <class T> constexpr Carried<T> subBorrow(T a, T b, bool borrow) {
  T difference = static_cast<T>(a - b);
  T value = static_cast<T>(difference - borrow);
  return {value, a < b || difference < static_cast<T>(borrow)};
}

/// sad: c + |a - b|.
template <class T> constexpr T sumAbsDifference(T a, T b, T c) {
  T larger = a < b ? b : a, smaller = a < b ? a : b;
  return addWrap(c, subWrap(larger, smaller));
}

//===-- Quotients ---------------------------------------------------------===//

/// Division by zero gives all ones, as the GPU's division routine does, and the
/// most negative number by -1 is itself.
template <class T> constexpr T divide(T a, T b) {
  if (b == 0)
    return static_cast<T>(~T(0));
  if constexpr (std::is_signed_v<T>)
    if (b == -1)
      return subWrap<T>(0, a);
  return static_cast<T>(a / b);
}
/// The remainder by zero is all ones too.
template <class T> constexpr T remainder(T a, T b) {
  if (b == 0)
    return static_cast<T>(~T(0));
  if constexpr (std::is_signed_v<T>)
    if (b == -1)
      return 0;
  return static_cast<T>(a % b);
}

template <class T> constexpr T absWrap(T a) {
  return a < 0 ? subWrap<T>(0, a) : a;
}
template <class T> constexpr T negWrap(T a) { return subWrap<T>(0, a); }

//===-- Shifts: the amount is unsigned and clamps at the width
//-------------===//

template <class T> constexpr T shiftLeft(T a, uint32_t amount) {
  auto bits = static_cast<uint64_t>(static_cast<Unsigned<T>>(a));
  return static_cast<T>(amount < bitWidth<T> ? bits << (amount & 63) : 0);
}
/// Signed T: arithmetic; unsigned T: logical.
template <class T> constexpr T shiftRight(T a, uint32_t amount) {
  if constexpr (std::is_signed_v<T>)
    return static_cast<T>(a >> std::min<uint32_t>(amount, bitWidth<T> - 1));
  else
    return static_cast<T>(
        amount < bitWidth<T> ? static_cast<uint64_t>(a) >> (amount & 63) : 0);
}

/// shf: the word that a funnel of high:low shows.
constexpr uint32_t funnelLeft(uint32_t low, uint32_t high, uint32_t amount,
                              bool isWrap) {
  uint32_t n = isWrap ? amount & 31 : std::min(amount, 32u);
  uint64_t both = static_cast<uint64_t>(high) << 32 | low;
  return static_cast<uint32_t>((both << n) >> 32);
}
constexpr uint32_t funnelRight(uint32_t low, uint32_t high, uint32_t amount,
                               bool isWrap) {
  uint32_t n = isWrap ? amount & 31 : std::min(amount, 32u);
  uint64_t both = static_cast<uint64_t>(high) << 32 | low;
  return static_cast<uint32_t>(both >> n);
}

//===-- Bits --------------------------------------------------------------===//

constexpr uint32_t bitReverse(uint32_t a) {
  a = (a >> 1 & 0x55555555) | (a & 0x55555555) << 1;
  a = (a >> 2 & 0x33333333) | (a & 0x33333333) << 2;
  a = (a >> 4 & 0x0f0f0f0f) | (a & 0x0f0f0f0f) << 4;
  a = (a >> 8 & 0x00ff00ff) | (a & 0x00ff00ff) << 8;
  return a >> 16 | a << 16;
}
constexpr uint64_t bitReverse(uint64_t a) {
  return static_cast<uint64_t>(bitReverse(static_cast<uint32_t>(a))) << 32 |
         bitReverse(static_cast<uint32_t>(a >> 32));
}
template <class T> constexpr uint32_t popCount(T a) {
  return static_cast<uint32_t>(std::popcount(static_cast<Unsigned<T>>(a)));
}
/// The width for zero.
template <class T> constexpr uint32_t countLeadingZeros(T a) {
  return static_cast<uint32_t>(std::countl_zero(static_cast<Unsigned<T>>(a)));
}

/// bfind: the highest bit that is not a sign bit, ~0u where there is none;
/// .shiftamt: how far to shift it left to the top.
template <class T> constexpr uint32_t findLeadingBit(T a, bool isShiftAmount) {
  auto bits = static_cast<Unsigned<T>>(a < 0 ? ~a : a);
  if (bits == 0)
    return ~0u;
  uint32_t zeros = countLeadingZeros(bits);
  return isShiftAmount ? zeros : bitWidth<T> - 1 - zeros;
}

/// fns: the n-th set bit of `mask` from `base` on, upwards for a positive
/// `offset`, downwards for a negative one.
constexpr uint32_t findNthSet(uint32_t mask, uint32_t base, int32_t offset) {
  if (offset == 0)
    return base < 32 && (mask >> base & 1) ? base : ~0u;
  int64_t position = base;
  int64_t count = (offset < 0 ? -static_cast<int64_t>(offset) : offset) - 1;
  int step = offset > 0 ? 1 : -1;
  for (; position >= 0 && position < 32; position += step)
    if (mask >> position & 1 && count-- == 0)
      return static_cast<uint32_t>(position);
  return ~0u;
}

/// A position or length of bfe and bfi: the low 8 bits of its operand for
/// 32-bit words. For 64-bit ones the GPU takes all bits, whatever the ISA says;
/// here cut to what is past every word.
template <class T> constexpr uint32_t fieldOperand(uint32_t x) {
  return sizeof(T) == 8 ? std::min(x, 0xffu) : x & 0xff;
}

/// bfe. A signed field is extended by its top bit, or the word's where the
/// field leaves the word.
template <class T> constexpr T bitExtract(T a, uint32_t b, uint32_t c) {
  uint32_t position = fieldOperand<T>(b), length = fieldOperand<T>(c);
  if (length == 0)
    return 0;
  using U = Unsigned<T>;
  uint32_t end = std::min(position + length, bitWidth<T>); // one past
  T shifted = shiftRight(a, position);                     // sign, or zeros
  if (position >= bitWidth<T>)
    return shifted;
  uint32_t unused = bitWidth<T> - (end - position);
  return static_cast<T>(static_cast<T>(static_cast<U>(shifted) << unused) >>
                        unused);
}

/// bfi: `length` bits of a put into b at `position`.
template <class T> constexpr T bitInsert(T a, T b, uint32_t c, uint32_t d) {
  uint32_t position = fieldOperand<T>(c), length = fieldOperand<T>(d);
  T field = length >= bitWidth<T> ? static_cast<T>(~T(0))
                                  : static_cast<T>((T(1) << length) - 1);
  T mask = shiftLeft(field, position);
  return static_cast<T>((b & ~mask) | (shiftLeft(a, position) & mask));
}

/// bmsk: `b` ones from bit `a` on.
constexpr uint32_t bitMask(uint32_t a, uint32_t b, bool isClamp) {
  if (isClamp && a >= 32)
    return 0;
  uint32_t width = isClamp ? std::min(b, 32u) : b & 31;
  uint64_t ones = (uint64_t(1) << width) - 1;
  return static_cast<uint32_t>(ones << (a & 31));
}

/// szext: the low `b` bits of a, extended by their top bit or zeros.
template <class T> constexpr T extend(T a, uint32_t b, bool isClamp) {
  if (isClamp && b >= 32)
    return a;
  uint32_t width = b & 31;
  if (width == 0)
    return 0;
  uint32_t unused = 32 - width;
  return static_cast<T>(static_cast<T>(static_cast<uint32_t>(a) << unused) >>
                        unused);
}

/// lop3: bit i of the result is the table's bit (a_i b_i c_i).
template <class T> constexpr T logic3(T a, T b, T c, uint8_t table) {
  // A sum of products; a handler whose table is constant in a loop lets the
  // compiler unswitch nothing and still vectorise.
  auto term = [&](unsigned row) {
    T x = row & 4 ? a : static_cast<T>(~a);
    T y = row & 2 ? b : static_cast<T>(~b);
    T z = row & 1 ? c : static_cast<T>(~c);
    T keep = static_cast<T>(-static_cast<T>(table >> row & 1));
    return static_cast<T>(x & y & z & keep);
  };
  return static_cast<T>(term(0) | term(1) | term(2) | term(3) | term(4) |
                        term(5) | term(6) | term(7));
}

/// cnot: 1 for zero, else 0.
template <class T> constexpr T logicalNot(T a) { return a == 0; }

//===-- Bytes -------------------------------------------------------------===//

enum class PermuteMode : uint8_t {
  Index, ///< no mode: four selectors
  F4E,
  B4E,
  RC8,
  ECL,
  ECR,
  RC16
};

/// The four selectors, as Index takes them, that a mode stands for.
constexpr uint32_t permuteSelectors(PermuteMode mode, uint32_t c) {
  constexpr uint16_t tables[7][4] = {{},
                                     {0x3210, 0x4321, 0x5432, 0x6543},
                                     {0x5670, 0x6701, 0x7012, 0x0123},
                                     {0x0000, 0x1111, 0x2222, 0x3333},
                                     {0x3210, 0x3211, 0x3222, 0x3333},
                                     {0x0000, 0x1110, 0x2210, 0x3210},
                                     {0x1010, 0x3232, 0x1010, 0x3232}};
  return mode == PermuteMode::Index
             ? c & 0xffff
             : tables[static_cast<unsigned>(mode)][c & 3];
}
constexpr uint32_t permute(uint32_t a, uint32_t b, uint32_t selectors) {
  uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    uint32_t selector = selectors >> (4 * i) & 15;
    auto byte = static_cast<uint32_t>(bytes >> (8 * (selector & 7))) & 0xff;
    uint32_t sign = 0xff & -(byte >> 7);
    result |= (selector & 8 ? sign : byte) << (8 * i);
  }
  return result;
}

/// Byte (or half) `index` of a word, as a number.
constexpr int32_t getByte(uint32_t a, unsigned index, bool isSigned) {
  auto byte = static_cast<uint8_t>(a >> (8 * index));
  return isSigned ? static_cast<int8_t>(byte) : byte;
}
constexpr int32_t getShort(uint32_t a, unsigned index, bool isSigned) {
  auto half = static_cast<uint16_t>(a >> (16 * index));
  return isSigned ? static_cast<int16_t>(half) : half;
}
/// dp4a: c + four byte products.
constexpr uint32_t dotProduct4(uint32_t a, bool isSignedA, uint32_t b,
                               bool isSignedB, uint32_t c) {
  for (unsigned i = 0; i < 4; ++i)
    c += static_cast<uint32_t>(getByte(a, i, isSignedA) *
                               getByte(b, i, isSignedB));
  return c;
}
/// dp2a: c + two products of a's halves with bytes 0, 1 (.lo) or 2, 3 (.hi).
constexpr uint32_t dotProduct2(uint32_t a, bool isSignedA, uint32_t b,
                               bool isSignedB, uint32_t c, bool isHigh) {
  for (unsigned i = 0; i < 2; ++i)
    c += static_cast<uint32_t>(static_cast<int64_t>(getShort(a, i, isSignedA)) *
                               getByte(b, i + (isHigh ? 2 : 0), isSignedB));
  return c;
}

//===-- Pairs of 16 bits: u16x2, s16x2
//-------------------------------------===//

template <class T, class Fn>
constexpr uint32_t mapPair(uint32_t a, uint32_t b, Fn fn) {
  static_assert(sizeof(T) == 2);
  auto low = static_cast<uint16_t>(fn(static_cast<T>(a), static_cast<T>(b)));
  auto high = static_cast<uint16_t>(
      fn(static_cast<T>(a >> 16), static_cast<T>(b >> 16)));
  return static_cast<uint32_t>(high) << 16 | low;
}
constexpr uint32_t addPair(uint32_t a, uint32_t b) {
  return mapPair<uint16_t>(a, b, [](uint16_t x, uint16_t y) { return x + y; });
}
template <class T> constexpr uint32_t minPair(uint32_t a, uint32_t b) {
  return mapPair<T>(a, b, [](T x, T y) { return x < y ? x : y; });
}
template <class T> constexpr uint32_t maxPair(uint32_t a, uint32_t b) {
  return mapPair<T>(a, b, [](T x, T y) { return x < y ? y : x; });
}
/// min.relu, max.relu: of s32 and s16x2.
constexpr int32_t clampNegative(int32_t a) { return a < 0 ? 0 : a; }
constexpr uint32_t clampNegativePair(uint32_t a) {
  return maxPair<int16_t>(a, 0);
}

/// slct: a where c is at least zero, else b.
template <class T> constexpr T select(T a, T b, int32_t c) {
  return c >= 0 ? a : b;
}
/// slct with an f32 selector; NaN selects b, -0 selects a.
template <class T> constexpr T selectFloat(T a, T b, float c, bool flush) {
  if (flush && c < 0 && c > -0x1p-126f)
    return a;
  return c >= 0 ? a : b;
}

} // namespace fk::emulator

#endif // FK_RUNTIME_EMULATOR_INTEGERMATH_H
