//===- TaskTable.cpp - The tasks as a table -------------------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/TaskTable.h"

#include "llvm/ADT/STLExtras.h"

using namespace fk;

namespace {

template <typename OpT> void describe(std::vector<TaskDescription> &tasks) {
  if constexpr (requires { OpT::getTaskName(); })
    tasks.push_back({OpT::getTaskName(), stringifyLevel(OpT::getTaskLevel()),
                     OpT::getTaskFamily(), OpT::getSignatureText(),
                     OpT::getFormula(), OpT::getFlopsText(),
                     OpT::getTouchedText(), OpT::getDecompositionText(),
                     OpT::getTaskSummary(), OpT::getTaskDescription()});
}

template <typename... Ops> std::vector<TaskDescription> describeAll() {
  std::vector<TaskDescription> tasks;
  (describe<Ops>(tasks), ...);
  llvm::sort(tasks, [](const TaskDescription &lhs, const TaskDescription &rhs) {
    return lhs.name < rhs.name;
  });
  return tasks;
}

} // namespace

llvm::ArrayRef<TaskDescription> fk::getTaskDescriptions() {
  static const std::vector<TaskDescription> tasks = describeAll<
#define GET_OP_LIST
#include "dialects/FK/FKOps.cpp.inc"
      >();
  return tasks;
}

const TaskDescription *fk::lookupTask(llvm::StringRef name) {
  for (const TaskDescription &task : getTaskDescriptions())
    if (task.name == name)
      return &task;
  return nullptr;
}
