//===- TaskInterface.cpp - What every task op checks ----------------------===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "dialects/FK/FK.h"
#include "dialects/FK/SymbolicExpr.h"
#include "dialects/FK/TaskTable.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace fk;

#include "dialects/FK/FKInterfaces.cpp.inc"

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

namespace {

llvm::StringMap<Signature> parseSignatures() {
  llvm::StringMap<Signature> signatures;
  for (const TaskDescription &task : getTaskDescriptions()) {
    try {
      signatures[task.name] = Signature::parse(task.signature.str());
    } catch (const Error &error) {
      // The text is fk's own; every test would fail here.
      llvm::report_fatal_error(llvm::Twine(error.what()));
    }
  }
  return signatures;
}

} // namespace

const Signature *fk::lookupSignature(llvm::StringRef task) {
  static const llvm::StringMap<Signature> signatures = parseSignatures();
  auto it = signatures.find(task);
  return it == signatures.end() ? nullptr : &it->second;
}

const Signature &fk::getSignature(TaskOpInterface op) {
  return *lookupSignature(op.getTaskName());
}

RankedTensorType fk::getShapedType(Type type) {
  if (auto cache = dyn_cast<KVCacheType>(type))
    return RankedTensorType::get({2, ShapedType::kDynamic, cache.getPageSize(),
                                  cache.getKvHeads(), cache.getHeadDim()},
                                 cache.getElementType());
  return dyn_cast<RankedTensorType>(type);
}

Value fk::getOperandByName(TaskOpInterface op, llvm::StringRef name) {
  for (const TaskTensor &tensor : getTaskTensors(op))
    if (tensor.param->name == name)
      return tensor.value;
  return nullptr;
}

SmallVector<TaskTensor> fk::getTaskTensors(TaskOpInterface op) {
  const Signature &signature = getSignature(op);
  SmallVector<TaskTensor> tensors;
  for (auto [index, param] : llvm::enumerate(signature.results))
    tensors.push_back({&param, op->getResult(index)});
  // Optional operands are at most one per task, so the count tells.
  size_t absent = signature.operands.size() - op->getNumOperands();
  size_t next = 0;
  for (const TensorParam &param : signature.operands) {
    if (param.optional && absent) {
      --absent;
      tensors.push_back({&param, nullptr});
      continue;
    }
    tensors.push_back({&param, op->getOperand(next++)});
  }
  return tensors;
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

namespace {

std::optional<DType> getDType(Type type) {
  if (type.isF64())
    return DType::F64;
  if (type.isF32())
    return DType::F32;
  if (type.isF16())
    return DType::F16;
  if (type.isBF16())
    return DType::BF16;
  if (type.isSignlessInteger(64))
    return DType::I64;
  if (type.isSignlessInteger(32))
    return DType::I32;
  return std::nullopt;
}

/// What is known of the axes from the static extents.
class StaticAxes {
public:
  /// The value of an extent, where its axes are known.
  std::optional<int64_t> evaluate(const Expr &extent) const {
    std::optional<LinearForm> form = getLinearForm(extent);
    if (!form)
      return std::nullopt;
    __int128 sum = form->constant;
    for (const auto &[axis, factor] : form->factors) {
      auto it = values.find(axis);
      if (it == values.end())
        return std::nullopt;
      sum += static_cast<__int128>(factor) * it->second;
    }
    // An extent beyond 64 bits matches nothing.
    if (sum < 0 || sum > INT64_MAX)
      return -1;
    return static_cast<int64_t>(sum);
  }

  /// Learns an axis from an extent where it is the only unknown. True if so.
  bool learn(const Expr &extent, int64_t actual) {
    std::optional<LinearForm> form = getLinearForm(extent);
    if (!form)
      return false;
    const std::string *unknown = nullptr;
    __int128 rest = actual - static_cast<__int128>(form->constant);
    for (const auto &[axis, factor] : form->factors) {
      auto it = values.find(axis);
      if (it != values.end()) {
        rest -= static_cast<__int128>(factor) * it->second;
        continue;
      }
      if (unknown)
        return false;
      unknown = &axis;
    }
    if (!unknown)
      return false;
    int64_t factor = form->factors[*unknown];
    if (rest % factor != 0 || rest / factor < 0 || rest / factor > INT64_MAX)
      return false;
    values[*unknown] = static_cast<int64_t>(rest / factor);
    return true;
  }

  /// Whether a static extent can be what the signature says.
  bool fits(const Expr &extent, int64_t actual) {
    if (std::optional<int64_t> wanted = evaluate(extent))
      return *wanted == actual;
    // With one unknown left, learning failed because it does not divide.
    std::optional<LinearForm> form = getLinearForm(extent);
    return !form || llvm::count_if(form->factors, [&](const auto &term) {
                      return !values.count(term.first);
                    }) != 1;
  }

private:
  AxisValues values;
};

/// A type or attribute without the quotes that diagnostics put around it.
template <typename T> std::string toText(T value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

/// "tensor<64xbf16> [hidden]", `?` where nothing is known.
std::string describeWanted(const TensorParam &param, Type element,
                           const StaticAxes &axes) {
  SmallVector<int64_t> shape;
  SmallVector<std::string> names;
  for (const Expr &extent : param.shape) {
    std::optional<int64_t> value;
    if (extent)
      value = axes.evaluate(extent);
    shape.push_back(value && *value >= 0 ? *value : ShapedType::kDynamic);
    names.push_back(extent ? extent.str() : "_");
  }
  return toText(RankedTensorType::get(shape, element)) + " [" +
         llvm::join(names, ", ") + "]";
}

struct TypedTensor {
  const TensorParam *param;
  Type type;               ///< as written
  RankedTensorType shaped; ///< null: unranked
};

LogicalResult verifyElements(Operation *op, StringRef task,
                             ArrayRef<TypedTensor> tensors) {
  Type elementT;
  StringRef nameT;
  for (const TypedTensor &tensor : tensors) {
    Type element = tensor.shaped
                       ? tensor.shaped.getElementType()
                       : cast<ShapedType>(tensor.type).getElementType();
    std::optional<DType> dtype = getDType(element);
    if (tensor.param->element) {
      if (dtype != tensor.param->element)
        return op->emitOpError() << task << "_c1: " << tensor.param->name
                                 << " must have elements of type "
                                 << StringRef(getName(*tensor.param->element))
                                 << ", got " << toText(tensor.type);
      continue;
    }
    if (!elementT) {
      if (!dtype || !isFloat(*dtype))
        return op->emitOpError()
               << task << "_c1: " << tensor.param->name
               << " must have elements of type bf16, f16, f32 or f64, got "
               << toText(tensor.type);
      elementT = element;
      nameT = tensor.param->name;
      continue;
    }
    if (element != elementT)
      return op->emitOpError()
             << task << "_c1: " << tensor.param->name
             << " must have elements of type " << toText(elementT) << ", as "
             << nameT << " has, got " << toText(tensor.type);
  }
  return success();
}

LogicalResult verifyExtents(Operation *op, StringRef task,
                            ArrayRef<TypedTensor> tensors) {
  auto forEachStatic = [&](auto &&visit) {
    for (const TypedTensor &tensor : tensors) {
      if (!tensor.shaped ||
          tensor.shaped.getRank() != int64_t(tensor.param->shape.size()))
        continue;
      for (auto [extent, size] :
           llvm::zip_equal(tensor.param->shape, tensor.shaped.getShape()))
        if (extent && !ShapedType::isDynamic(size))
          visit(tensor, extent, size);
    }
  };
  StaticAxes axes;
  bool changed = true;
  while (changed) {
    changed = false;
    forEachStatic([&](const TypedTensor &, const Expr &extent, int64_t size) {
      changed |= axes.learn(extent, size);
    });
  }

  const TypedTensor *wrong = nullptr;
  for (const TypedTensor &tensor : tensors)
    if (!wrong && (!tensor.shaped || tensor.shaped.getRank() !=
                                         int64_t(tensor.param->shape.size())))
      wrong = &tensor;
  forEachStatic(
      [&](const TypedTensor &tensor, const Expr &extent, int64_t size) {
        if (!wrong && !axes.fits(extent, size))
          wrong = &tensor;
      });
  if (!wrong)
    return success();
  Type element =
      cast<ShapedType>(wrong->shaped ? Type(wrong->shaped) : wrong->type)
          .getElementType();
  return op->emitOpError() << task << "_c2: " << wrong->param->name
                           << " must be "
                           << describeWanted(*wrong->param, element, axes)
                           << ", got " << toText(wrong->type);
}

} // namespace

LogicalResult fk::verifyTaskOp(Operation *op) {
  auto task = cast<TaskOpInterface>(op);
  // Operands come first: where they disagree with a result, the result is
  // called wrong.
  SmallVector<TypedTensor> operands, results;
  for (const TaskTensor &tensor : getTaskTensors(task)) {
    if (!tensor.value)
      continue;
    Type type = tensor.value.getType();
    auto &list =
        isa<OpResult>(tensor.value) && tensor.value.getDefiningOp() == op
            ? results
            : operands;
    list.push_back({tensor.param, type, getShapedType(type)});
  }
  operands.append(results);
  if (failed(verifyElements(op, task.getTaskName(), operands)))
    return failure();
  return verifyExtents(op, task.getTaskName(), operands);
}
