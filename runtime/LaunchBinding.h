//===- LaunchBinding.h - Declared launches at one shape --------*- C++ -*-===//
//
// Part of fk, under the Apache License v2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A declared launch (runtime/Plan.h) says its grid, block and shared memory as
// expressions and its arguments by name. Here they become numbers and bytes for
// one bound launch; the launchers of the devices (runtime/cuda, runtime/host)
// add what the device alone knows.
//
// An argument of a declared launch is a name of the task's signature (result,
// operand, scalar, variant, axis) or `workspace`. An absent optional operand is
// left out of the parameters; written `name?` it is passed as a null pointer
// instead, which fk's own kernels use.
//
//===----------------------------------------------------------------------===//

#ifndef FK_RUNTIME_LAUNCHBINDING_H
#define FK_RUNTIME_LAUNCHBINDING_H

#include "runtime/Kernel.h"
#include "runtime/Plan.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fk {

/// One parameter of a kernel.
struct BoundArgument {
  enum class Kind : uint8_t {
    Value,     ///< `bits`, of `bytes` bytes
    Tensor,    ///< a pointer to `tensor`
    Workspace, ///< a pointer to the launch's workspace
    Null,      ///< a null pointer
  };
  Kind kind = Kind::Value;
  std::string name; ///< as declared
  uint64_t bits = 0;
  size_t bytes = 8;
  const TensorRef *tensor = nullptr; ///< of the BoundLaunch
};

/// A declared launch with everything evaluated.
struct LaunchBinding {
  std::string entry;
  std::array<uint32_t, 3> grid = {1, 1, 1}, block = {1, 1, 1};
  std::array<uint32_t, 3> cluster = {1, 1, 1};
  uint32_t sharedBytes = 0; ///< dynamic
  bool pdl = false;
  std::vector<BoundArgument> args;

  uint32_t getThreads() const { return block[0] * block[1] * block[2]; }
  uint32_t getClusterSize() const {
    return cluster[0] * cluster[1] * cluster[2];
  }
};

/// Binds declared launches to one launch of a task. `what` names the kernel in
/// messages. Every member throws Error where an expression leaves the range
/// that any GPU has.
class LaunchBinder {
public:
  LaunchBinder(const BoundLaunch &launch, const std::string &what)
      : launch(launch), what(what), axes(launch.getAxisValues()) {}

  int64_t getWorkspaceBytes(const CandidateVariant &variant) const;
  /// `entrySuffix` is appended to the entry ("_bf16").
  LaunchBinding bind(const DeclaredLaunch &declared,
                     const std::string &entrySuffix = "") const;

  /// "tokens = 7, hidden = 64"
  std::string describeAxes() const;
  const std::string &getWhat() const { return what; }
  const BoundLaunch &getLaunch() const { return launch; }

private:
  int64_t evaluate(const Expr &expr, const char *field, int64_t least,
                   int64_t most) const;
  void bindShape(LaunchBinding &binding, const DeclaredLaunch &declared) const;
  void bindArgument(LaunchBinding &binding, const std::string &name) const;

  const BoundLaunch &launch;
  std::string what;
  AxisValues axes;
};

/// The first of `variants` whose `where` holds for the launch, or nullptr.
const CandidateVariant *findVariant(std::span<const CandidateVariant> variants,
                                    const BoundLaunch &launch);

} // namespace fk

#endif // FK_RUNTIME_LAUNCHBINDING_H
