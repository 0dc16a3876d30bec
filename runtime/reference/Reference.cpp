//===- Reference.cpp - Any task over tensors in host memory ---------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "runtime/reference/Reference.h"
#include "runtime/reference/HostTasks.h"

using namespace fk;
using namespace fk::reference;

template <typename C, typename Rounded>
static void runIn(const BoundLaunch &launch, const std::vector<void *> &out,
                  WorkPool &pool) {
  auto run = [&]<typename T>(T) {
    using O = std::conditional_t<std::is_same_v<Rounded, void>, T, Rounded>;
    HostTasks<C, T, O>(launch, out, pool).run();
  };
  switch (launch.dtype) {
  case DType::F32:
    return run(float());
  case DType::BF16:
    return run(BF16());
  case DType::F16:
    return run(F16());
  default:
    throw Error({.what = "the reference has no '" + launch.task +
                         "' of this element type",
                 .where = launch.place,
                 .wanted = "f32, bf16 or f16",
                 .got = std::string(getName(launch.dtype)),
                 .mend = "choose --dtype float32, bfloat16 or float16"});
  }
}

bool fk::hasReference(std::string_view task) {
  return HostTasks<float, float, float>::knows(task);
}

void fk::runReference(const BoundLaunch &launch, WorkPool &pool) {
  std::vector<void *> out;
  for (const auto &[name, tensor] : launch.results)
    out.push_back(tensor.data);
  if (launch.task == "kv_cache_write")
    out.push_back(launch.operand("cache").data);
  runIn<float, void>(launch, out, pool);
}

template <typename T>
static void widenInto(std::vector<double> &to, const TensorRef &tensor) {
  auto *from = static_cast<const T *>(tensor.data);
  for (size_t i = 0; i < to.size(); ++i)
    to[i] = widen(from[i]);
}

std::vector<std::vector<double>>
fk::computeReference(const BoundLaunch &launch) {
  checkTensors(launch);
  checkIndices(launch);
  std::vector<std::vector<double>> values;
  for (const auto &[name, tensor] : launch.results)
    values.emplace_back(tensor.getNumElements());
  if (launch.task == "kv_cache_write") {
    const TensorRef &cache = launch.operand("cache");
    std::vector<double> &after = values.emplace_back(cache.getNumElements());
    if (launch.dtype == DType::F32)
      widenInto<float>(after, cache);
    else if (launch.dtype == DType::BF16)
      widenInto<BF16>(after, cache);
    else
      widenInto<F16>(after, cache);
  }
  std::vector<void *> out;
  for (std::vector<double> &result : values)
    out.push_back(result.data());
  WorkPool pool;
  runIn<double, double>(launch, out, pool);
  return values;
}
