//===- Cost.cpp - Bytes and operations of a task --------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/Cost.h"

#include "dialects/FK/TaskTable.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace fk;

namespace {

/// The elements a launch touches of the tensor `name`, where not all:
/// "table: tokens * hidden; ..." has one entry a tensor.
Expr findTouched(llvm::StringRef text, llvm::StringRef name) {
  llvm::SmallVector<llvm::StringRef> entries;
  text.split(entries, ';', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef entry : entries) {
    auto [tensor, extent] = entry.split(':');
    if (tensor.trim() == name)
      return Expr::parse(extent.trim().str(), "elements of " + name.str());
  }
  return Expr();
}

double countElements(const TensorParam &param, llvm::StringRef touched,
                     const AxisValues &axes) {
  if (Expr part = findTouched(touched, param.name))
    return static_cast<double>(part.evaluate(axes));
  double count = 1;
  for (const Expr &extent : param.shape)
    count *= extent ? static_cast<double>(extent.evaluate(axes)) : 0.0;
  return count;
}

} // namespace

TaskCost fk::getTaskCost(std::string_view name, const AxisValues &axes,
                         DType dtype, const std::vector<std::string> &absent) {
  const TaskDescription *task = lookupTask(llvm::StringRef(name));
  if (!task)
    throw Error({.what = "there is no task '" + std::string(name) + "'",
                 .where = "",
                 .wanted = "",
                 .got = "",
                 .mend = "fk list prints the tasks"});
  const Signature &signature = *lookupSignature(task->name);
  TaskCost cost;
  cost.flops = static_cast<double>(
      Expr::parse(task->flops.str(), "flops of " + task->name.str())
          .evaluate(axes));
  for (const auto *params : {&signature.results, &signature.operands})
    for (const TensorParam &param : *params)
      if (!llvm::is_contained(absent, param.name))
        cost.bytes +=
            countElements(param, task->touched, axes) *
            static_cast<double>(getSizeInBytes(param.element.value_or(dtype)));
  return cost;
}
