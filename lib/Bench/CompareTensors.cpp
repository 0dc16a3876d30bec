//===- CompareTensors.cpp - An answer against the expected one ------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "fk/Bench/CompareTensors.h"

#include "runtime/Convert.h"
#include "runtime/support/Error.h"

#include <cmath>
#include <limits>

using namespace fk;
using namespace fk::bench;

std::vector<double> fk::bench::toDoubles(const HostTensor &tensor) {
  std::vector<double> values;
  values.reserve(tensor.getNumElements());
  auto append = [&](auto element) {
    for (auto value : tensor.as<decltype(element)>())
      values.push_back(static_cast<double>(value));
  };
  switch (tensor.dtype) {
  case DType::F64:
    append(double());
    break;
  case DType::F32:
    append(float());
    break;
  case DType::I64:
    append(int64_t());
    break;
  case DType::I32:
    append(int32_t());
    break;
  case DType::BF16:
  case DType::F16: {
    std::vector<float> wide(tensor.getNumElements());
    convertElements(tensor.bytes.data(), tensor.dtype, wide.data(), DType::F32,
                    wide.size());
    values.assign(wide.begin(), wide.end());
    break;
  }
  default:
    throw Error({"tensors of this type are not compared", "", "a number",
                 std::string(getName(tensor.dtype)), ""});
  }
  return values;
}

TensorDifference fk::bench::compareTensors(const HostTensor &wanted,
                                           const HostTensor &got) {
  if (wanted.shape != got.shape) {
    auto text = [](const std::vector<int64_t> &shape) {
      std::string out = "[";
      for (size_t i = 0; i < shape.size(); ++i)
        out += (i ? ", " : "") + std::to_string(shape[i]);
      return out + "]";
    };
    throw Error({"shapes differ", "comparison", text(wanted.shape),
                 text(got.shape), "compare the outputs of the same inputs"},
                ErrorKind::Wrong);
  }
  const std::vector<double> a = toDoubles(wanted), b = toDoubles(got);
  TensorDifference result;
  double dot = 0, normA = 0, normB = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    // A NaN or infinity is right only where the expected answer has the same.
    const bool sameSpecial =
        a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    const double difference = sameSpecial ? 0
                              : std::isfinite(a[i]) && std::isfinite(b[i])
                                  ? std::abs(a[i] - b[i])
                                  : std::numeric_limits<double>::infinity();
    if (std::isfinite(a[i]))
      result.magnitude = std::max(result.magnitude, std::abs(a[i]));
    if (difference > result.largest) {
      result.largest = difference;
      result.index = static_cast<int64_t>(i);
      result.wanted = a[i];
      result.got = b[i];
    }
    if (std::isfinite(a[i]) && std::isfinite(b[i])) {
      dot += a[i] * b[i];
      normA += a[i] * a[i];
      normB += b[i] * b[i];
    }
  }
  if (result.magnitude > 0)
    result.relative = result.largest / result.magnitude;
  else
    result.relative =
        result.largest > 0 ? std::numeric_limits<double>::infinity() : 0;
  result.cosine = normA > 0 && normB > 0 ? dot / std::sqrt(normA * normB)
                                         : (normA == normB ? 1 : 0);
  return result;
}
