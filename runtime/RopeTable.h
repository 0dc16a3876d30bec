//===- RopeTable.h - Rotary tables, one formula a type ---------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// With r = rotaryDim, i < r/2, e_i = 2i / r, f_i = theta^-e_i, p a position:
//
//   default    w_i = f_i
//   linear     w_i = f_i / factor
//   dynamic    theta' = theta * (factor * n / maxPositions - (factor - 1))^(r /
//   (r - 2)),
//              w_i = theta'^-e_i, n the longest sequence, at least maxPositions
//   llama3     l_i = 2 pi / f_i; w_i = f_i where l_i < original /
//   highFreqFactor,
//              f_i / factor where l_i > original / lowFreqFactor, else
//              (1 - s) f_i / factor + s f_i with
//              s = (original / l_i - lowFreqFactor) / (highFreqFactor -
//              lowFreqFactor)
//   yarn       d(b) = r ln(original / (2 pi b)) / (2 ln theta), low =
//   d(betaFast),
//              high = d(betaSlow), rounded outwards if `truncate`, clamped to
//              [0, r - 1]; m_i = clamp((i - low) / (high - low), 0, 1); w_i =
//              f_i / factor * m_i + f_i (1 - m_i)
//   longrope   w_i = f_i / longFactor_i where the longest sequence exceeds
//   `original`, else
//              f_i / shortFactor_i
//
// A row is a * cos(p * w_i) for all i, then a * sin(p * w_i). The attention
// factor a is 1 but for yarn (mscale rules) and longrope
// (sqrt(1 + ln factor / ln original)), where the config does not give it.
// Frequencies and angles are rounded to float32 step by step, as the reference
// library's are: at position 100000 that is visible.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_ROPETABLE_H
#define FK_RUNTIME_ROPETABLE_H

#include "runtime/Plan.h"

#include <vector>

namespace fk {

/// Throws Error where the settings of `table` make no table; `where` names the
/// weight.
void checkRopeTable(const RopeTable &table, const std::string &where);

/// w_i for a batch whose longest sequence has `length` positions.
std::vector<float> getInverseFrequencies(const RopeTable &table,
                                         int64_t length);

/// The factor a of cosines and sines.
double getAttentionFactor(const RopeTable &table);

/// Two lengths of equal regime have the same table.
int64_t getRopeRegime(const RopeTable &table, int64_t length);

/// The first `rows` rows, [rows, rotaryDim], computed on all cores.
std::vector<float> computeRopeTable(const RopeTable &table, int64_t length,
                                    int64_t rows);

} // namespace fk

#endif // FK_RUNTIME_ROPETABLE_H
