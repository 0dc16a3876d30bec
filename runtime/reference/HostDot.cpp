//===- HostDot.cpp - The hot loops, for the CPU at hand -------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/HostDot.h"
#include "runtime/reference/LinearReference.h"

#ifdef __x86_64__
#define FK_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define FK_CLONES
#endif

namespace fk::reference {

FK_CLONES float hostDot(const float *x, const float *w, int64_t count) {
  return dot<float>(x, w, count);
}
FK_CLONES double hostDot(const double *x, const double *w, int64_t count) {
  return dot<double>(x, w, count);
}

#define FK_WIDEN_ROW(FROM, TO)                                                 \
  FK_CLONES void widenRow(const FROM *from, TO *to, int64_t count) {           \
    for (int64_t i = 0; i < count; ++i)                                        \
      to[i] = TO(widen(from[i]));                                              \
  }
FK_WIDEN_ROW(float, float)
FK_WIDEN_ROW(BF16, float)
FK_WIDEN_ROW(F16, float)
FK_WIDEN_ROW(float, double)
FK_WIDEN_ROW(BF16, double)
FK_WIDEN_ROW(F16, double)
#undef FK_WIDEN_ROW

} // namespace fk::reference
