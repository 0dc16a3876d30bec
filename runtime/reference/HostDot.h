//===- HostDot.h - The hot loops, for the CPU at hand -----------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// `dot` and widening, compiled for plain x86-64 and for AVX2 with FMA, chosen
// when the program starts. The functions are those of LinearReference.h.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_REFERENCE_HOSTDOT_H
#define FK_RUNTIME_REFERENCE_HOSTDOT_H

#include "runtime/reference/Scalar.h"

namespace fk::reference {

float hostDot(const float *x, const float *w, int64_t count);
double hostDot(const double *x, const double *w, int64_t count);

void widenRow(const float *from, float *to, int64_t count);
void widenRow(const BF16 *from, float *to, int64_t count);
void widenRow(const F16 *from, float *to, int64_t count);
void widenRow(const float *from, double *to, int64_t count);
void widenRow(const BF16 *from, double *to, int64_t count);
void widenRow(const F16 *from, double *to, int64_t count);

} // namespace fk::reference

#endif // FK_RUNTIME_REFERENCE_HOSTDOT_H
