//===- Kernel.h - What a provider gives the runtime ------------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_KERNEL_H
#define FK_RUNTIME_KERNEL_H

#include "runtime/Plan.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fk {

class Device;
class Stream;

/// A dense row-major tensor in some device's memory. data == nullptr: an absent
/// optional operand.
struct TensorRef {
  void *data = nullptr;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  /// A state: a launch that has it as an operand may write it.
  bool isState = false;

  explicit operator bool() const { return data != nullptr; }
  int64_t getNumElements() const;
  int64_t getSizeInBytes() const;
};

/// A launch with every value known, in the order of the task's signature.
struct BoundLaunch {
  std::string task;
  std::string place;
  DType dtype = DType::F32; ///< T
  std::vector<std::pair<std::string, TensorRef>> results, operands;
  std::vector<LaunchScalar> scalars, variants;
  std::vector<std::pair<std::string, int64_t>> axes;

  const TensorRef &result(std::string_view name) const;
  /// A null TensorRef where an optional operand is absent.
  const TensorRef &operand(std::string_view name) const;
  double scalar(std::string_view name) const; ///< scalars and variants
  int64_t axis(std::string_view name) const;
  AxisValues getAxisValues() const;
};

/// A kernel bound to one device and one shape. Creation may be slow
/// (autotuning, loading a module); launch is the hot path: it enqueues and
/// returns.
class Kernel {
public:
  virtual ~Kernel() = default;
  /// Bytes of scratch it needs, aligned to 256, contents undefined at entry.
  virtual int64_t getWorkspaceBytes() const { return 0; }
  /// Enqueues on `stream`; `workspace` has at least getWorkspaceBytes() bytes.
  virtual void launch(Stream &stream, void *workspace) = 0;
  /// What was decided when it was bound, for reports: "algorithm 66 tile 20
  /// (heuristic 1 of 8)". Empty where nothing was.
  virtual std::string describe() const { return ""; }
};

/// A source of kernels on one device. Providers hold their library handles and
/// loaded modules; one lives per runtime instance, never per process.
class Provider {
public:
  virtual ~Provider() = default;
  virtual std::string_view getName() const = 0;
  /// Binds a kernel of the catalog (or a candidate of the plan) to a launch.
  /// Throws Error where it cannot. `launch` outlives the kernel.
  virtual std::unique_ptr<Kernel> bind(std::string_view kernel,
                                       const BoundLaunch &launch) = 0;
};

/// One row of the catalog: a kernel some provider has for a task. The compiler
/// selects from these rows without a device; providers implement them.
struct KernelInfo {
  std::string_view task;
  std::string_view provider;
  std::string_view name;   ///< unique per provider
  std::string_view device; ///< "host" or "cuda"
  std::string_view dtypes; ///< "bf16,f16,f32"
  std::string_view where;  ///< condition over the task's axes, or ""
  int priority;            ///< the larger is tried first
  std::string_view why;    ///< one phrase, printed in the remark
};

/// All kernels fk ships, of every provider. runtime/providers/Catalog.cpp.
std::span<const KernelInfo> getKernelCatalog();

/// The catalog's kernels of a task for one element type on one device, best
/// first; those of one priority stay in the catalog's order. The compiler
/// selects by it, and `fk eval` finds by it what a candidate replaced.
std::vector<const KernelInfo *> findKernels(std::string_view task, DType dtype,
                                            std::string_view device);

std::unique_ptr<Provider> createReferenceProvider(Device &device);
std::unique_ptr<Provider> createCudaProvider(Device &device);
std::unique_ptr<Provider> createCublasLtProvider(Device &device);
/// The candidates of a plan: a user's (`candidate`), or those that the compiler
/// made (`codegen`).
std::unique_ptr<Provider>
createCandidateProvider(Device &device, const Plan &plan,
                        std::string name = "candidate");

} // namespace fk

#endif // FK_RUNTIME_KERNEL_H
